/** Waiting for real processes, which take longer than what unit tests wait for. */
import { until as untilSoon } from '@srup/node/testing';

/** How long a condition may take to come true before the test fails, in milliseconds. */
export const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 50;
/** The same patience for `expect.poll`. */
export const PATIENT = { timeout: PATIENCE_MS, interval: LOOK_EVERY_MS };

/** `until` of `@srup/node/testing`, with the patience that processes need. */
export function until<Value>(
  what: string,
  look: () => Value | Promise<Value>,
  patienceMs = PATIENCE_MS,
): ReturnType<typeof untilSoon<Value>> {
  return untilSoon(what, look, { patienceMs, everyMs: LOOK_EVERY_MS });
}
