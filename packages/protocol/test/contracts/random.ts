/** What every source of randomness keeps to: the real one and the seeded ones. */
import { describe, expect, test } from 'vitest';
import type { Random } from '../../src/ports.ts';

export function testRandom(name: string, open: () => Random): void {
  describe(`the contract of a random source: ${name}`, () => {
    test('gives as many bytes as it is asked for, plain and each time others', () => {
      const random = open();
      for (const count of [0, 1, 10, 16, 32, 100]) {
        const bytes = random.bytes(count);
        expect(bytes).toHaveLength(count);
        expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype);
      }
      expect(random.bytes(16)).not.toEqual(random.bytes(16));
    });

    test('has every value of a byte, none much more often than another', () => {
      const counts = new Array<number>(256).fill(0);
      for (const byte of open().bytes(25_600)) counts[byte]!++;
      for (const count of counts) expect(Math.abs(count - 100)).toBeLessThan(80); // 8 standard deviations
    });

    test('gives units from 0, included, to 1, excluded, from all over', () => {
      const random = open();
      const units = Array.from({ length: 4_000 }, () => random.unit());
      for (const unit of units) expect(unit >= 0 && unit < 1).toBe(true);
      for (const tenth of Array.from({ length: 10 }, (_, at) => at / 10)) {
        const count = units.filter((unit) => unit >= tenth && unit < tenth + 0.1).length;
        expect(Math.abs(count - 400)).toBeLessThan(160); // 8 standard deviations
      }
    });
  });
}
