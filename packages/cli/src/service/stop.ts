const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Resolves at the first signal that asks the process to end. The second one calls `atOnce` and ends the process. */
export function untilAskedToStop(atOnce: () => void = () => undefined): Promise<'stop'> {
  let isAsked = false;
  return new Promise((resolve) => {
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (isAsked) {
          atOnce();
          process.exit(1);
        }
        isAsked = true;
        resolve('stop');
      });
    }
  });
}
