import { describe, expect, it } from 'vitest';
import { fakeKeys, manualClock, playSeeds, requireHostile, seededRandom, type Report } from './index.ts';
import { testClock } from '../../test/contracts/clock.ts';
import { testKeys } from '../../test/contracts/keys.ts';
import { testRandom } from '../../test/contracts/random.ts';
import { checkPlain } from './plain.ts';

testRandom('the seeded one', () => seededRandom(3));

testClock('the manual one', () => {
  const clock = manualClock(Date.UTC(2026, 0, 1));
  return {
    clock,
    delay: clock.delay,
    pass: (ms) => {
      clock.advance(ms);
    },
    set: (now) => {
      clock.set(now);
    },
    unset: () => {
      clock.trust(false);
    },
  };
});

let secret = 0;
testKeys('those of tests', { suite: 'ed25519', make: () => fakeKeys(++secret) });

describe('the seeded random', () => {
  it('gives the same for the same seed, another for another', () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return [random.unit(), ...random.bytes(8), random.below(1000), random.pick(['a', 'b', 'c'])];
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it('spreads its numbers', () => {
    const random = seededRandom(7);
    const counts = new Array<number>(10).fill(0);
    for (let n = 0; n < 10_000; n++) counts[random.below(10)]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    expect(() => random.pick([])).toThrow(RangeError);
  });
});

describe('the manual clock', () => {
  it('stands still until a test moves it, and steps without the monotonic one', () => {
    const clock = manualClock(1000);
    expect([clock.now(), clock.monotonic(), clock.isTrusted()]).toEqual([1000, 0, true]);
    clock.advance(5);
    clock.set(50);
    clock.trust(false);
    expect([clock.now(), clock.monotonic(), clock.isTrusted()]).toEqual([50, 5, false]);
    expect(() => {
      clock.advance(-1);
    }).toThrow(RangeError);
  });
});

describe('the timers of the manual clock', () => {
  it('ring in the order of their times, each at its own, and only once', () => {
    const clock = manualClock(1_000);
    const rung: [string, number, number][] = [];
    const note = (name: string) => () => rung.push([name, clock.now(), clock.monotonic()]);
    clock.delay(20, note('late'));
    clock.delay(10, note('early'));
    clock.delay(10, note('as early, asked for later'));
    clock.delay(-5, note('at once'));
    expect(clock.waiting()).toBe(4);
    clock.advance(0);
    clock.advance(19);
    expect(rung).toEqual([
      ['at once', 1_000, 0],
      ['early', 1_010, 10],
      ['as early, asked for later', 1_010, 10],
    ]);
    clock.advance(100);
    expect(rung.slice(3)).toEqual([['late', 1_020, 20]]);
    expect([clock.waiting(), clock.now(), clock.monotonic()]).toEqual([0, 1_119, 119]);
  });

  it('ring when they were set within the advance, and not when they were called off in it', () => {
    const clock = manualClock(0);
    const rung: number[] = [];
    const again = (): void => {
      rung.push(clock.monotonic());
      clock.delay(10, again);
    };
    clock.delay(10, again);
    const callOff = clock.delay(25, () => rung.push(-1));
    clock.delay(20, callOff);
    clock.advance(35);
    expect(rung).toEqual([10, 20, 30]);
  });

  it('follow the monotonic clock, not a wall clock that steps', () => {
    const clock = manualClock(0);
    let rang = false;
    clock.delay(100, () => (rang = true));
    clock.set(1_000_000);
    clock.advance(99);
    expect(rang).toBe(false);
    clock.advance(1);
    expect([rang, clock.now()]).toEqual([true, 1_000_100]);
  });
});

describe('a state', () => {
  it('is plain when JSON gives it back', () => {
    const state = { a: [1, 'x', null, true], b: { c: 0 } };
    expect(() => {
      checkPlain(state);
    }).not.toThrow();
  });

  it.each([
    ['nothing', undefined],
    ['a bigint', 1n],
    ['bytes', new Uint8Array(1)],
    ['a map', new Map()],
    ['NaN', NaN],
    ['infinity', Infinity],
    ['a function', () => 1],
  ])('is not plain with %s in it', (_what, member) => {
    expect(() => {
      checkPlain({ deep: [{ member }] });
    }).toThrow(/^state\.deep\.0\.member is /);
  });
});

describe('runs over seeds', () => {
  const report = (broken: string[], dropped: number): Report => ({
    link: { carried: 9, dropped, doubled: 9, delayed: 9 },
    restarts: 9,
    attacks: 9,
    refusals: new Map([['REPLAY_SEEN', 1]]),
    broken,
  });

  it('name the seed that broke a promise', async () => {
    const play = (seed: number) => Promise.resolve(report(seed === 3 ? ['acted twice'] : [], 9));
    await expect(playSeeds(5, play)).rejects.toThrow('seed 3: acted twice');
  });

  it('prove nothing when they were too kind', async () => {
    const kind = await playSeeds(8, () => Promise.resolve(report([], 0)));
    expect(() => {
      requireHostile(kind);
    }).toThrow('only 0 dropped over 8 seeds');
    const unattacked = await playSeeds(8, () => Promise.resolve(report([], 9)));
    expect(unattacked).toMatchObject({ dropped: 72, attacks: 72, refusals: { REPLAY_SEEN: 8 } });
    expect(() => {
      requireHostile(unattacked);
    }).toThrow('nothing was refused as AUTH_SIGNATURE over 8 seeds');
  });
});
