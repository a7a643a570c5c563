import type { Delay } from './deps.ts';

/** Rejects with these words when the promise takes longer; what it does then is nobody's business any more. */
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
