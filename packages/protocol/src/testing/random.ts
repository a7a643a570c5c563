import type { Random } from '../ports.ts';

export interface SeededRandom extends Random {
  /** A whole number from 0 to `end`, `end` excluded. */
  below(end: number): number;
  chance(probability: number): boolean;
  pick<Value>(values: readonly Value[]): Value;
}

/**
 * Gives the same numbers for the same seed (Small Fast Counter, 32 bits). They are predictable: for tests only.
 *
 * @example
 * seededRandom(1).below(6); // always the same
 */
export function seededRandom(seed: number): SeededRandom {
  const next = sfc32(seed);
  const unit = () => next() / 2 ** 32;
  const below = (end: number) => Math.floor(unit() * end);
  return {
    unit,
    below,
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
    chance: (probability) => unit() < probability,
    pick: (values) => {
      if (values.length === 0) throw new RangeError('nothing to pick from');
      return values[below(values.length)] as (typeof values)[number];
    },
  };
}

const WARM_UP_ROUNDS = 12;

/** Gives 32 bits with each call. */
export function sfc32(first: number, second = 0, third = 0): () => number {
  let a = first | 0;
  let b = second | 0;
  let c = third | 0;
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < WARM_UP_ROUNDS; round++) next();
  return next;
}
