import type { MqttArrival } from '@srup/node';
import { identityText, type FaultCode, type ScreenedOut } from '@srup/protocol';
import { addEvents, type News } from '../news/events.ts';
import { viewRefusal } from '../news/views.ts';
import type { TurnPorts } from '../turn/ports.ts';
import { createThrottle } from './throttle.ts';
import type { NewRefusal } from '../store/schema/messages.ts';
import { appendRefusal } from '../evidence/refusals.ts';

/** Refusals in one second that are logged and become events. */
const REFUSALS_TOLD = 10;

export interface Refusals {
  /** Commits that a message was refused: it is counted, kept for a while, and becomes an event. */
  refuse(code: FaultCode, arrival: MqttArrival, claim?: ScreenedOut['claim']): Promise<void>;
  /** Tells whether a refusal becomes an event, and logs it if so. Call it once for each: of a flood only some do. */
  isNews(refusal: NewRefusal): boolean;
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
      const news: News[] = isNews(refusal) ? [{ kind: 'refusal', refusal: viewRefusal(refusal) }] : [];
      await store.commit(
        async (write) => {
          await appendRefusal(write, refusal);
          return addEvents(write, refusal.at, news);
        },
        (place) => (place === undefined ? [] : [{ of: 'events', place }]),
      );
    },
  };
}
