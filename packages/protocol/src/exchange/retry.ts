/** How long an exchange waits, how often it retries and when it gives up (P 10.10). Times are in milliseconds. */
import type { Moment } from './step.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The n-th wait is `firstMs` doubled n-1 times, at most `mostMs`, plus or minus `JITTER`. */
export interface RetryPolicy {
  readonly firstMs: number;
  readonly mostMs: number;
  /** Messages after which it gives up; by default there is no limit. */
  readonly tries?: number;
  /** Time after which it gives up; by default there is no limit. */
  readonly expireMs?: number;
}

/** INITIATE until "staged" or a failure. A device refuses the token after the same time (P 6.2). */
export const INITIATE_RETRY: RetryPolicy = { firstMs: 60 * SECOND, mostMs: HOUR, expireMs: 7 * DAY };
/** ACTIVATE until "active" or "reverted". */
export const ACTIVATE_RETRY: RetryPolicy = { firstMs: 60 * SECOND, mostMs: HOUR, expireMs: 7 * DAY };
/** ACTION until its answer. A device refuses the token after the same time (P 6.2). */
export const ACTION_RETRY: RetryPolicy = {
  firstMs: 20 * SECOND,
  mostMs: 160 * SECOND,
  expireMs: 10 * MINUTE,
};
/** ID_REQUEST until its answer. */
export const IDENTIFY_RETRY: RetryPolicy = {
  firstMs: 20 * SECOND,
  mostMs: 160 * SECOND,
  expireMs: 10 * MINUTE,
};
/** JOIN_REQ, without a limit: a device must get in at some time. */
export const JOIN_RETRY: RetryPolicy = { firstMs: 15 * SECOND, mostMs: 15 * MINUTE };
/** Leaving, asked for by either side. The last try is about 10 minutes after the first. */
export const LEAVE_RETRY: RetryPolicy = { firstMs: 20 * SECOND, mostMs: 320 * SECOND, tries: 5 };
/** The same with a device that never confirms (P 10.7): one message, and time for it to arrive. */
export const LEAVE_ONCE: RetryPolicy = { firstMs: 60 * SECOND, mostMs: 60 * SECOND, tries: 1 };
/** DATA that the broker is known to have lost: how often it is sent, and for how long after the first time. */
export const DATA_REPEAT = { tries: 5, expireMs: DAY } as const;
/** A deferred installation that the device retries by itself (P 10.11). */
export const DEFERRED_RETRY: RetryPolicy = { firstMs: 15 * MINUTE, mostMs: 15 * MINUTE };

/** Limits of the wait that a device can ask for in `srup.defer` (P 10.11). */
export const DEFERRAL_LEAST_MS = MINUTE;
export const DEFERRAL_MOST_MS = DAY;
/** A join that waits for an operator (P 9.5). */
export const JOIN_PENDING_MS = 7 * DAY;

/** Greatest ages of a UUIDv7 token on arrival (P 6.2). */
export const ACTION_AGE_MS = 10 * MINUTE;
export const UPDATE_AGE_MS = 7 * DAY;

/** A wait is this much shorter or longer by chance, so that the devices of a fleet do not ask at the same time. */
export const JITTER = 0.25;

/** None of our waits is longer. One that seems to be began before the clock was set back. */
const LONGEST_WAIT_MS = 8 * DAY;

/** When to retry after the `attempts`-th message, ms since 1970. */
export function nextTry({ firstMs, mostMs }: RetryPolicy, attempts: number, { now, random }: Moment): number {
  const wait = Math.min(mostMs, firstMs * 2 ** (attempts - 1));
  return now + Math.round(wait * (1 - JITTER + 2 * JITTER * random));
}

/** Tells whether a time has come. A time that is further away than any wait was set before the clock was set back. */
export function isDue(wakeAt: number | undefined, { now }: Moment): boolean {
  return wakeAt !== undefined && (now >= wakeAt || wakeAt - now > LONGEST_WAIT_MS);
}

interface Waiting {
  readonly attempts: number;
  readonly wakeAt?: number;
}

/** Decides whether to wait, to send the same message again, or to give up. `since`: ms since 1970. */
export function judge(
  waiting: Waiting,
  policy: RetryPolicy,
  since: number,
  moment: Moment,
): 'wait' | 'again' | 'over' {
  if (!isDue(waiting.wakeAt, moment)) return 'wait';
  const { tries = Infinity, expireMs = Infinity } = policy;
  return waiting.attempts >= tries || moment.now - since >= expireMs ? 'over' : 'again';
}
