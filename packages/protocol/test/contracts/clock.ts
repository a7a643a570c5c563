/** What every clock, and every timer beside it, keeps to: the real ones and the manual ones. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../src/ports.ts';

export interface ClockHarness {
  readonly clock: Clock;
  readonly delay: (ms: number, ring: () => void) => () => void;
  /** Lets this many milliseconds pass, and timers ring. */
  pass(ms: number): Promise<void> | void;
  /** Steps the wall clock, as a person does who sets it. Ms since 1970. */
  set(now: number): void;
  /** Makes the clock one that was never set. */
  unset(): void;
  close?(): void;
}

/** Real timers come a little late, never early. Times in milliseconds. */
const SHORT_MS = 30;
const SLACK_MS = 2;

export function testClock(name: string, open: () => ClockHarness): void {
  describe(`the contract of a clock: ${name}`, () => {
    let harness: ClockHarness;
    beforeEach(() => {
      harness = open();
    });
    afterEach(() => harness.close?.());

    test('both times go on with time', async () => {
      const { clock } = harness;
      const [wall, elapsed] = [clock.now(), clock.monotonic()];
      await harness.pass(SHORT_MS);
      expect(clock.now() - wall).toBeGreaterThanOrEqual(SHORT_MS - SLACK_MS);
      expect(clock.monotonic() - elapsed).toBeGreaterThanOrEqual(SHORT_MS - SLACK_MS);
    });

    test('a step of the wall clock is none of the monotonic one', () => {
      const { clock } = harness;
      const elapsed = clock.monotonic();
      harness.set(Date.UTC(2030, 0, 1));
      expect(Math.abs(clock.now() - Date.UTC(2030, 0, 1))).toBeLessThan(1_000);
      expect(clock.monotonic() - elapsed).toBeLessThan(1_000);
      harness.set(Date.UTC(2028, 0, 1));
      expect(clock.monotonic()).toBeGreaterThanOrEqual(elapsed);
    });

    test('it is trusted only while it is set (P 6.2)', () => {
      harness.set(Date.UTC(2030, 0, 1));
      expect(harness.clock.isTrusted()).toBe(true);
      harness.unset();
      expect(harness.clock.isTrusted()).toBe(false);
    });

    test('a timer rings once, after its time and not before, the earlier ones first', async () => {
      const rung: string[] = [];
      harness.delay(3 * SHORT_MS, () => rung.push('late'));
      harness.delay(SHORT_MS, () => rung.push('early'));
      expect(rung).toEqual([]);
      await harness.pass(0);
      expect(rung).toEqual([]);
      await harness.pass(5 * SHORT_MS);
      expect(rung).toEqual(['early', 'late']);
      await harness.pass(5 * SHORT_MS);
      expect(rung).toHaveLength(2);
    });

    test('a timer that was called off does not ring; calling it off late or twice does no harm', async () => {
      const rung: string[] = [];
      const callOff = harness.delay(SHORT_MS, () => rung.push('called off'));
      const tooLate = harness.delay(SHORT_MS, () => rung.push('rang'));
      callOff();
      callOff();
      await harness.pass(3 * SHORT_MS);
      tooLate();
      expect(rung).toEqual(['rang']);
    });
  });
}
