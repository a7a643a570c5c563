/** Something that happens once, and that others wait for. */
export interface Latch {
  readonly open: () => void;
  /** Resolves to true as soon as the latch is open, or to false when it is still closed after `ms` milliseconds. */
  opensWithin(ms: number): Promise<boolean>;
}

/**
 * A latch that is closed until `open` is called.
 *
 * @example
 * const listening = createLatch();
 * setTimeout(listening.open, 100);
 * await listening.opensWithin(5_000); // true, after 100 ms
 */
export function createLatch(): Latch {
  let isOpen = false;
  const waiting = new Set<() => void>();
  return {
    open: () => {
      isOpen = true;
      for (const wake of waiting) wake();
    },
    opensWithin: async (ms) => {
      if (isOpen) return true;
      return new Promise((resolve) => {
        const settle = (): void => {
          clearTimeout(timer);
          waiting.delete(settle);
          resolve(isOpen);
        };
        const timer = setTimeout(settle, ms).unref();
        waiting.add(settle);
      });
    },
  };
}
