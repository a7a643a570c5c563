import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { manualClock } from '@srup/protocol/testing';
import { realDelay, within } from './delay.ts';

describe('the real delay', () => {
  it('rings once, and not when it was called off', async () => {
    const rung: string[] = [];
    realDelay(5, () => rung.push('called off'))();
    await new Promise<void>((resolve) => {
      realDelay(10, () => {
        rung.push('first');
        resolve();
      });
    });
    expect(rung).toEqual(['first']);
  });

  it('does not keep the process alive', () => {
    const module = JSON.stringify(new URL('delay.ts', import.meta.url).href);
    const program = `import { realDelay } from ${module}; realDelay(60_000, () => undefined);`;
    const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      timeout: 15_000,
    });
    expect(status).toBe(0);
  });
});

describe('within', () => {
  const never = new Promise<never>(() => undefined);

  it('gives what the promise gives, and calls the timer off', async () => {
    const clock = manualClock(0);
    await expect(within(clock.delay, 1_000, Promise.resolve('answer'), 'no answer')).resolves.toBe('answer');
    await expect(
      within(clock.delay, 1_000, Promise.reject(new Error('broken')), 'no answer'),
    ).rejects.toThrow('broken');
    expect(clock.waiting()).toBe(0);
  });

  it('rejects in the given words when the time is over, and not before', async () => {
    const clock = manualClock(0);
    const failed = within(clock.delay, 1_500, never, 'no answer').then(
      () => 'answered',
      (error: unknown) => String(error),
    );
    clock.advance(1_499);
    expect(clock.waiting()).toBe(1);
    clock.advance(1);
    await expect(failed).resolves.toBe('Error: no answer within 1.5 s');
    expect(clock.waiting()).toBe(0);
  });
});
