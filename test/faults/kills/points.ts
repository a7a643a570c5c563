/** Where a device can be told to die. */
import type { SeededRandom } from '@srup/protocol/testing';

/** Actions that the devices of a campaign know. */
export const KNOWN_ACTIONS = [0x40, 0x41, 0x42, 0x43] as const;
export const UNKNOWN_ACTION = 0x7f;

/** What has to be ordered for a point to be reached. */
export interface Point {
  readonly name: string;
  readonly needs: 'good' | 'bad' | 'any';
}

const of = (needs: Point['needs'], ...names: string[]): Point[] => names.map((name) => ({ name, needs }));

/** Every named step of an update, in the order in which they come, and of the other commands. */
export const POINTS: readonly Point[] = [
  ...of('any', 'INITIATE taken', 'fetch begun', 'fetch under way', 'fetch done'),
  ...of('any', 'ACTIVATE taken', 'install begun', 'prepared', 'halted', 'switched', 'launched', 'judged'),
  ...of('good', 'committed'),
  ...of('bad', 'condemned', 'withdrawn', 'restored', 'reverted'),
  ...of('any', 'collected', 'install done'),
  ...of('any', 'ACTION taken', 'act begun', 'act in effect', 'act done'),
  ...of('any', 'DATA taken', 'deliver begun', 'deliver done'),
];

/** Writes of the state; which of them is drawn. */
const WRITES = ['write begun', 'write torn', 'write done'] as const;
/** An update with an action and data beside it writes about as often. */
const USUAL_WRITES = 14;

export function drawWrite(random: SeededRandom): { point: string; count: number } {
  return { point: random.pick(WRITES), count: random.below(USUAL_WRITES) + 1 };
}
