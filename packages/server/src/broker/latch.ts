/** Something that happens once, and that others wait for. */
export interface Latch {
  readonly open: () => void;
  /** True as soon as it is open; false when it is not after so many milliseconds. */
  opensWithin(ms: number): Promise<boolean>;
}

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
