import { describe, expect, it } from 'vitest';
import { createLanes, createQueue } from './queue.ts';

/** A job that a test ends. */
function held(log: string[], name: string) {
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const job = async () => {
    log.push(`${name} begins`);
    await gate;
    log.push(`${name} ends`);
    return name;
  };
  return {
    job,
    release: () => {
      release();
    },
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a queue', () => {
  it('runs one job at a time, in the order of the calls', async () => {
    const log: string[] = [];
    const queue = createQueue();
    const [first, second] = [held(log, 'first'), held(log, 'second')];
    const results = Promise.all([queue.run(first.job), queue.run(second.job)]);
    second.release();
    await turn();
    expect(log).toEqual(['first begins']);
    first.release();
    await expect(results).resolves.toEqual(['first', 'second']);
    expect(log).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
  });

  it('goes on after a job that failed, and tells only its caller', async () => {
    const queue = createQueue();
    const rejected = queue.run(() => Promise.reject(new Error('rejected')));
    const thrown = queue.run(() => {
      throw new Error('thrown');
    });
    const good = queue.run(() => Promise.resolve('good'));
    await expect(rejected).rejects.toThrow('rejected');
    await expect(thrown).rejects.toThrow('thrown');
    await expect(good).resolves.toBe('good');
  });

  it('settles when nothing runs or waits, jobs that came meanwhile included', async () => {
    const log: string[] = [];
    const queue = createQueue();
    await queue.settle();
    void queue.run(async () => {
      log.push('first');
      void queue.run(async () => {
        await turn();
        log.push('second');
      });
    });
    await queue.settle();
    expect(log).toEqual(['first', 'second']);
  });
});

describe('lanes', () => {
  it('keep the order of one owner and never wait for another', async () => {
    const log: string[] = [];
    const lanes = createLanes();
    const slow = held(log, 'a1');
    const first = lanes.run('a', slow.job);
    const second = lanes.run('a', async () => log.push('a2'));
    await lanes.run('b', async () => log.push('b1'));
    expect(log).toEqual(['a1 begins', 'b1']);
    slow.release();
    await Promise.all([first, second]);
    expect(log).toEqual(['a1 begins', 'b1', 'a1 ends', 'a2']);
  });

  it('go on after a job that failed', async () => {
    const lanes = createLanes();
    const failed = lanes.run('a', () => Promise.reject(new Error('no')));
    const next = lanes.run('a', () => Promise.resolve(1));
    await expect(failed).rejects.toThrow('no');
    await expect(next).resolves.toBe(1);
    await lanes.settle();
  });

  it('settle when no lane has anything left, whatever jobs start', async () => {
    const log: string[] = [];
    const lanes = createLanes();
    void lanes.run('a', async () => {
      await turn();
      void lanes.run('b', async () => {
        await turn();
        log.push('b');
        void lanes.run('a', async () => log.push('a again'));
      });
    });
    await lanes.settle();
    expect(log).toEqual(['b', 'a again']);
  });
});
