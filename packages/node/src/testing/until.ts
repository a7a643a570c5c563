export interface Patience {
  /** How long a condition may take to come true before the test fails, in milliseconds. */
  readonly patienceMs?: number;
  /** Time from one look to the next, in milliseconds. */
  readonly everyMs?: number;
}

const PATIENCE_MS = 10_000;
const EVERY_MS = 2;

/**
 * Looks again and again until `look` gives something other than undefined, null and false, and returns that. `what`
 * says in the error what was waited for.
 *
 * @example
 * await until('the agent is online', () => agent.isOnline);
 * const row = await until('the device is listed', () => api.find(id), { patienceMs: 60_000, everyMs: 50 });
 */
export async function until<Value>(
  what: string,
  look: () => Value | Promise<Value>,
  { patienceMs = PATIENCE_MS, everyMs = EVERY_MS }: Patience = {},
): Promise<Exclude<Value, undefined | null | false>> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false)
      return found as Exclude<Value, undefined | null | false>;
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
