import { silentLog } from '@srup/node';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { test } from '../../test/fixtures.ts';
import { testStore } from '../../test/contracts/store.ts';
import { breakable, memoryDisk } from '../../test/memory-disk.ts';
import { realDisk } from './disk.ts';
import type { Value } from './journal.ts';
import { openStore } from './store.ts';

const inMemory = memoryDisk();
testStore('over the real disk', (path) => openStore(path, realDisk, silentLog));
testStore('over a disk in memory', (path) => openStore(path, inMemory, silentLog));

test('what was committed is there after a restart; only the owner can read it', async ({ folder }) => {
  const path = join(folder, 'journal');
  const store = await openStore(path, realDisk, silentLog);
  await store.commit(
    new Map<string, Value>([
      ['join', { phase: 'joined' }],
      ['open/a', 1],
      ['open/b', 2],
    ]),
  );
  await store.commit(new Map([['open/a', undefined]]));
  const again = await openStore(path, realDisk, silentLog);
  expect(again.get('join')).toEqual({ phase: 'joined' });
  expect(again.under('open/')).toEqual([['b', 2]]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test.for(['before', 'half', 'after'] as const)(
  'a commit that fails (%s) changes nothing, and the next one holds',
  async (how, { folder }) => {
    const path = join(folder, 'journal');
    const { disk, broken } = breakable(realDisk);
    const store = await openStore(path, disk, silentLog);
    await store.commit(new Map([['a', 1]]));
    broken.append = how;
    broken.replace = 'before';
    await expect(
      store.commit(
        new Map([
          ['a', 2],
          ['b', 2],
        ]),
      ),
    ).rejects.toMatchObject({ name: 'StoreError' });
    await expect(store.commit(new Map([['c', 3]]))).rejects.toThrow('ENOSPC');
    expect([store.get('a'), store.get('b'), store.get('c')]).toEqual([1, undefined, undefined]);
    delete broken.append;
    delete broken.replace;
    await store.commit(new Map([['d', 4]]));
    const again = await openStore(path, realDisk, silentLog);
    expect(['a', 'b', 'c', 'd'].map((key) => again.get(key))).toEqual([1, undefined, undefined, 4]);
  },
);

test('a replacement that is reported as failed but happened leaves a journal that goes on', async ({
  folder,
}) => {
  const path = join(folder, 'journal');
  const { disk, broken } = breakable(realDisk);
  broken.replace = 'after';
  const store = await openStore(path, disk, silentLog); // the first write is tolerated though it was reported as failed
  await expect(store.commit(new Map([['a', 1]]))).rejects.toThrow('ENOSPC');
  delete broken.replace;
  await store.commit(new Map([['b', 2]]));
  await store.commit(new Map([['c', 3]]));
  const again = await openStore(path, realDisk, silentLog);
  expect(['a', 'b', 'c'].map((key) => again.get(key))).toEqual([undefined, 2, 3]);
});

test('a torn end is left out, and the journal goes on after it', async ({ folder }) => {
  const path = join(folder, 'journal');
  const store = await openStore(path, realDisk, silentLog);
  await store.commit(new Map([['a', 1]]));
  await store.commit(new Map([['b', 2]]));
  const whole = await readFile(path);
  await writeFile(path, whole.subarray(0, -3));
  const again = await openStore(path, realDisk, silentLog);
  expect([again.get('a'), again.get('b')]).toEqual([1, undefined]);
  await again.commit(new Map([['c', 3]]));
  const third = await openStore(path, realDisk, silentLog);
  expect(['a', 'b', 'c'].map((key) => third.get(key))).toEqual([1, undefined, 3]);
});

test('a torn end on a full disk: nothing is lost, and commits go on when there is room', async ({
  folder,
}) => {
  const path = join(folder, 'journal');
  const { disk, broken } = breakable(realDisk);
  const store = await openStore(path, disk, silentLog);
  await store.commit(new Map([['a', 1]]));
  await store.commit(new Map([['b', 2]]));
  await writeFile(path, (await readFile(path)).subarray(0, -3));
  broken.replace = 'before';
  const again = await openStore(path, disk, silentLog);
  await expect(again.commit(new Map([['c', 3]]))).rejects.toThrow('ENOSPC');
  delete broken.replace;
  await again.commit(new Map([['c', 3]]));
  expect((await openStore(path, realDisk, silentLog)).get('c')).toBe(3);
});

test('a damaged journal is named, with what to do, and not touched', async ({ folder }) => {
  const path = join(folder, 'journal');
  const store = await openStore(path, realDisk, silentLog);
  await store.commit(new Map([['a', 1]]));
  await store.commit(new Map([['b', 2]]));
  const damaged = await readFile(path);
  damaged[12] = (damaged[12] as number) ^ 1;
  await writeFile(path, damaged);
  await expect(openStore(path, realDisk, silentLog)).rejects.toMatchObject({
    name: 'AgentError',
    message: expect.stringContaining(`${path}, line 1 is damaged`) as string,
    hint: expect.stringContaining('Nothing was changed') as string,
  });
  expect(await readFile(path)).toEqual(damaged);
});

test('the journal is written anew when it has grown, and keeps what counts', async ({ folder }) => {
  const path = join(folder, 'journal');
  const store = await openStore(path, realDisk, silentLog);
  const large = 'x'.repeat(200_000);
  for (let n = 0; n < 12; n++) await store.commit(new Map([['large', `${large}${n}`]]));
  expect((await stat(path)).size).toBeLessThan(2 ** 20 + 400_000);
  expect((await openStore(path, realDisk, silentLog)).get('large')).toBe(`${large}11`);
});

test('a start makes one line of the journal', async ({ folder }) => {
  const path = join(folder, 'journal');
  const store = await openStore(path, realDisk, silentLog);
  for (let n = 0; n < 5; n++) await store.commit(new Map([['n', n]]));
  await openStore(path, realDisk, silentLog);
  expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(2);
});
