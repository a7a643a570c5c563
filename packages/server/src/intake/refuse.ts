import type { MqttArrival } from '@srup/node';
import { identityText, type FaultCode, type ScreenedOut } from '@srup/protocol';
import { addEvents } from '../news/events.ts';
import { viewRefusal } from '../news/views.ts';
import type { TurnPorts } from '../turn/ports.ts';
import { createThrottle } from './throttle.ts';
import type { NewRefusal } from '../store/schema/messages.ts';
import { appendRefusals } from '../evidence/refusals.ts';
import type { Write } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Refusals in one second that are logged and become events. */
const REFUSALS_TOLD = 10;

export interface Refusals {
  /** Commits that a message was refused: it is counted, kept for a while, and becomes an event. */
  refuse(code: FaultCode, arrival: MqttArrival, claim?: ScreenedOut['claim']): Promise<void>;
  /** Tells whether a refusal becomes an event, and logs it if so. Call it once for each: of a flood only some do. */
  isNews(refusal: NewRefusal): boolean;
}

interface NewsOfRefusal {
  readonly refusal: NewRefusal;
  readonly isNews: boolean;
}

/** Gives the place of the last event. */
async function writeRefusals(
  write: Write<CoreTables>,
  pieces: readonly NewsOfRefusal[],
): Promise<readonly (number | undefined)[]> {
  const told = pieces.filter(({ isNews }) => isNews).map(({ refusal }) => refusal);
  const events = told.map((refusal) => ({
    at: refusal.at,
    news: { kind: 'refusal', refusal: viewRefusal(refusal) } as const,
  }));
  const [, place] = await Promise.all([
    appendRefusals(
      write,
      pieces.map(({ refusal }) => refusal),
    ),
    addEvents(write, events),
  ]);
  return pieces.map(() => place);
}

/**
 * Makes what commits refusals.
 *
 * @example
 * await createRefusals({ store, clock, log }).refuse('WIRE_TYPE', arrival);
 */
export function createRefusals({ store, clock, log }: Pick<TurnPorts, 'store' | 'clock' | 'log'>): Refusals {
  const mayTell = createThrottle(clock, REFUSALS_TOLD, 1000);

  function isNews({ code, claimed_sender: sender, type }: NewRefusal): boolean {
    if (!mayTell()) return false;
    log.info({ code, sender, type }, 'a message was refused');
    return true;
  }

  return {
    isNews,
    refuse: async (code, { topic }, claim) => {
      const claimed = claim && { claimed_sender: identityText(claim.sender), type: claim.type };
      const refusal: NewRefusal = { at: clock.now(), code, topic, ...claimed };
      await store.add(writeRefusals, { refusal, isNews: isNews(refusal) }, (place) =>
        place === undefined ? [] : [{ of: 'events', place }],
      );
    },
  };
}
