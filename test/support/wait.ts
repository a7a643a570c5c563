import { setTimeout as pause } from 'node:timers/promises';

/** How long a condition may take to come true before the test fails, in milliseconds. */
export const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 50;
/** The same patience for `expect.poll`. */
export const PATIENT = { timeout: PATIENCE_MS, interval: LOOK_EVERY_MS };

/** Looks again and again until `look` gives something; says what was waited for when it never does. */
export async function until<Value>(
  what: string,
  look: () => Promise<Value | undefined | false> | Value | undefined | false,
  patienceMs = PATIENCE_MS,
): Promise<Value> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms in vain: ${what}`);
    await pause(LOOK_EVERY_MS);
  }
}
