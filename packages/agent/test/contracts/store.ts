/** What every store of the agent's state keeps to: over the real disk, and over one in memory. */
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { Store } from '../../src/vault/store.ts';
import { test } from '../fixtures.ts';

/** `open`: the store at a path; the same path again continues with what was committed. */
export function testStore(name: string, open: (path: string) => Promise<Store>): void {
  describe(`the contract of a store: ${name}`, () => {
    test('a key that was never set is undefined', async ({ folder }) => {
      const store = await open(join(folder, 'journal'));
      expect(store.get('join')).toBeUndefined();
      expect(store.under('')).toEqual([]);
    });

    test('a commit sets and removes keys together, now and after a restart', async ({ folder }) => {
      const path = join(folder, 'journal');
      const store = await open(path);
      await store.commit(
        new Map([
          ['a', 1],
          ['b', 2],
          ['c', 3],
        ]),
      );
      await store.commit(
        new Map<string, number | undefined>([
          ['a', undefined],
          ['b', 4],
        ]),
      );
      for (const one of [store, await open(path)]) {
        expect([one.get('a'), one.get('b'), one.get('c')]).toEqual([undefined, 4, 3]);
      }
    });

    test('keys are found by their beginning, without it', async ({ folder }) => {
      const store = await open(join(folder, 'journal'));
      await store.commit(
        new Map([
          ['open/a', 1],
          ['open/__proto__', 2],
          ['opened', 3],
        ]),
      );
      expect(new Map(store.under('open/'))).toEqual(
        new Map([
          ['a', 1],
          ['__proto__', 2],
        ]),
      );
    });

    test('a second commit at the same time is a bug in the caller, and changes nothing', async ({
      folder,
    }) => {
      const store = await open(join(folder, 'journal'));
      const first = store.commit(new Map([['a', 1]]));
      await expect(store.commit(new Map([['a', 2]]))).rejects.toThrow(TypeError);
      await first;
      expect(store.get('a')).toBe(1);
    });
  });
}
