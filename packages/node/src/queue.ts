/** Serial queues: what must not happen at the same time happens one after the other. */

export interface Queue {
  /** Runs the job after all earlier ones, whether they succeeded or not. Settles as the job does. */
  run<Value>(job: () => Promise<Value>): Promise<Value>;
  /** Resolves when nothing runs or waits. */
  settle(): Promise<void>;
}

/**
 * A queue that runs one job at a time, in the order of the calls.
 *
 * @example
 * const writes = createQueue();
 * void writes.run(() => write('first'));
 * await writes.run(() => write('second')); // begins when the first write has ended
 */
export function createQueue(): Queue {
  let last: Promise<void> = Promise.resolve();
  let open = 0;
  const end = () => {
    open -= 1;
  };
  return {
    run: (job) => {
      open += 1;
      const done = last.then(job);
      last = done.then(end, end);
      return done;
    },
    settle: async () => {
      while (open > 0) await last;
    },
  };
}

export interface Lanes {
  /** Runs the job after all earlier ones of this owner, whether they succeeded or not. Settles as the job does. */
  run<Value>(owner: string, job: () => Promise<Value>): Promise<Value>;
  /** Resolves when no lane runs a job or has one waiting. */
  settle(): Promise<void>;
}

/**
 * A queue for each owner: jobs of one owner run one after the other, and never wait for those of another owner. An
 * owner whose jobs have all ended costs no memory.
 *
 * @example
 * const lanes = createLanes();
 * await lanes.run('device/27ab54d670b64be2', () => take(message));
 */
export function createLanes(): Lanes {
  const lanes = new Map<string, { readonly queue: Queue; open: number }>();
  return {
    run: (owner, job) => {
      const lane = lanes.get(owner) ?? { queue: createQueue(), open: 0 };
      lanes.set(owner, lane);
      lane.open += 1;
      const done = lane.queue.run(job);
      const end = () => {
        lane.open -= 1;
        if (lane.open === 0) lanes.delete(owner);
      };
      done.then(end, end);
      return done;
    },
    settle: async () => {
      while (lanes.size > 0) await Promise.all([...lanes.values()].map(({ queue }) => queue.settle()));
    },
  };
}
