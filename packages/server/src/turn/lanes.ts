/**
 * One queue a device: what concerns a device happens one after the other, and never waits for another device.
 */
export interface Lanes {
  /** Runs the job after all earlier ones of this device, whether they succeeded or not. */
  run<Value>(device: string, job: () => Promise<Value>): Promise<Value>;
  /** Resolves when nothing runs or waits. */
  settle(): Promise<void>;
}

export function createLanes(): Lanes {
  const last = new Map<string, Promise<unknown>>();
  return {
    run: (device, job) => {
      const before = last.get(device) ?? Promise.resolve();
      const done = before.then(job);
      const settled = done
        .then(
          () => undefined,
          () => undefined,
        )
        .then(() => {
          if (last.get(device) === settled) last.delete(device);
        });
      last.set(device, settled);
      return done;
    },
    settle: async () => {
      while (last.size > 0) await Promise.all(last.values());
    },
  };
}
