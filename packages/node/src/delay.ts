/** Waiting, as a port: a test passes the `delay` of a manual clock, and no test waits for real time. */

/** Calls `ring` once after this many milliseconds. Returns a function that calls it off. */
export type Delay = (ms: number, ring: () => void) => () => void;

/** Real time. It never keeps the process alive. */
export const realDelay: Delay = (ms, ring) => {
  const timer = setTimeout(ring, ms).unref();
  return () => {
    clearTimeout(timer);
  };
};

/**
 * Resolves or rejects as the promise does. Rejects with these words when the promise takes longer than `ms`
 * milliseconds; what the promise does after that is ignored.
 *
 * @example
 * await within(realDelay, 5_000, directory.find(id), 'the key service did not answer');
 * // Error: the key service did not answer within 5 s
 */
export async function within<Value>(
  delay: Delay,
  ms: number,
  promise: Promise<Value>,
  words: string,
): Promise<Value> {
  let callOff: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    callOff = delay(ms, () => {
      reject(new Error(`${words} within ${ms / 1000} s`));
    });
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    callOff();
  }
}
