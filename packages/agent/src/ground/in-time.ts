/**
 * Waits for the code of somebody else, whether or not it obeys its signal. Rejects with the signal's reason when that
 * aborts, and with "time is up" after `timeoutMs` milliseconds. The work's own signal aborts in both cases.
 */
export async function inTime(
  work: (signal: AbortSignal) => Promise<void> | void,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const late = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, late]);
  try {
    await Promise.race([work(either), aborted(either)]);
  } catch (error) {
    signal.throwIfAborted();
    throw late.aborted ? new Error('time is up') : error;
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abandon = () => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) abandon();
    else signal.addEventListener('abort', abandon, { once: true });
  });
}
