/** A network that loses, doubles, reorders and delays messages, by a seeded random. */
import type { Arrival } from '../inbound.ts';
import type { SeededRandom } from './random.ts';
import type { Timeline } from './timeline.ts';

/** Probabilities from 0 to 1, for each message or step. They hold until `quietAt`. */
export interface Hostility {
  readonly drop: number;
  readonly twice: number;
  /** A long delay, so that later messages overtake this one. */
  readonly late: number;
  /** A crash of an end, at each point where one could hurt. */
  readonly crash: number;
  /** Mean time between attacks, in ms. */
  readonly attackEveryMs: number;
  /** When the network and the ends become well behaved, ms since the beginning. */
  readonly quietAt: number;
}

export const HOSTILE: Hostility = {
  drop: 0.25,
  twice: 0.2,
  late: 0.2,
  crash: 0.06,
  attackEveryMs: 8_000,
  quietAt: 120_000,
};

export const PEACEFUL: Hostility = { drop: 0, twice: 0, late: 0, crash: 0, attackEveryMs: 0, quietAt: 0 };

const USUAL_DELAY_MS = 400;
const LATE_MS = 45_000;
const REDELIVERY_MS = 3_000;
/** Not every broker delivers a message again that its receiver did not acknowledge. */
const REDELIVERED = 0.7;

/** True if the message was taken over: committed, or refused for good. */
export type Receive = (arrival: Arrival) => Promise<boolean>;

export interface Link {
  carry(arrival: Arrival, to: Receive): void;
  readonly counts: { carried: number; dropped: number; doubled: number; delayed: number };
}

export function lossyLink(timeline: Timeline, random: SeededRandom, hostility: Hostility): Link {
  const counts = { carried: 0, dropped: 0, doubled: 0, delayed: 0 };
  const isHostile = () => timeline.elapsed() < hostility.quietAt;

  function deliver(arrival: Arrival, to: Receive, delayMs: number): void {
    timeline.after(delayMs, async () => {
      if (await to(arrival)) return;
      if (!isHostile() || random.chance(REDELIVERED))
        deliver(arrival, to, REDELIVERY_MS * (0.5 + random.unit()));
      else counts.dropped++;
    });
  }

  function delay(): number {
    if (!isHostile() || !random.chance(hostility.late)) return random.unit() * USUAL_DELAY_MS;
    counts.delayed++;
    return random.unit() * LATE_MS;
  }

  return {
    counts,
    carry(arrival, to) {
      counts.carried++;
      if (isHostile() && random.chance(hostility.drop)) {
        counts.dropped++;
        return;
      }
      deliver(arrival, to, delay());
      if (isHostile() && random.chance(hostility.twice)) {
        counts.doubled++;
        deliver(arrival, to, delay());
      }
    },
  };
}
