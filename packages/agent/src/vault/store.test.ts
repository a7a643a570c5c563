import { silentLog } from '@srup/node';
import { copyFile, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { test } from '../../test/fixtures.ts';
import { testStore } from '../../test/contracts/store.ts';
import { breakable, memoryDisk } from '../../test/memory-disk.ts';
import { realDisk, type Disk } from './disk.ts';
import type { Value } from './journal.ts';
import { openStore, type OpenStore } from './store.ts';

const opened: OpenStore[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

/** The one before it is as after a kill: it was never closed. */
async function open(path: string, disk: Disk = realDisk): Promise<OpenStore> {
  const store = await openStore(path, disk, silentLog);
  opened.push(store);
  return store;
}

const inMemory = memoryDisk();
testStore('over the real disk', open);
testStore('over a disk in memory', (path) => open(path, inMemory));

test('what was committed is there after a restart; only the owner can read it', async ({ folder }) => {
  const path = join(folder, 'journal');
  const store = await open(path);
  await store.commit(
    new Map<string, Value>([
      ['join', { phase: 'joined' }],
      ['open/a', 1],
      ['open/b', 2],
    ]),
  );
  await store.commit(new Map([['open/a', undefined]]));
  const again = await open(path);
  expect(again.get('join')).toEqual({ phase: 'joined' });
  expect(again.under('open/')).toEqual([['b', 2]]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test.for(['before', 'half', 'after'] as const)(
  'a commit that fails (%s) changes nothing, and the next one holds',
  async (how, { folder }) => {
    const path = join(folder, 'journal');
    const { disk, broken } = breakable(realDisk);
    const store = await open(path, disk);
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
    const again = await open(path);
    expect(['a', 'b', 'c', 'd'].map((key) => again.get(key))).toEqual([1, undefined, undefined, 4]);
  },
);

test('a replacement that is reported as failed but happened leaves a journal that goes on', async ({
  folder,
}) => {
  const path = join(folder, 'journal');
  const { disk, broken } = breakable(realDisk);
  broken.replace = 'after';
  const store = await open(path, disk); // the first write is tolerated though it was reported as failed
  await expect(store.commit(new Map([['a', 1]]))).rejects.toThrow('ENOSPC');
  delete broken.replace;
  await store.commit(new Map([['b', 2]]));
  await store.commit(new Map([['c', 3]]));
  const again = await open(path);
  expect(['a', 'b', 'c'].map((key) => again.get(key))).toEqual([undefined, 2, 3]);
});

test('a torn end is left out, and the journal goes on after it', async ({ folder }) => {
  const path = join(folder, 'journal');
  const store = await open(path);
  await store.commit(new Map([['a', 1]]));
  await store.commit(new Map([['b', 2]]));
  const whole = await readFile(path);
  await writeFile(path, whole.subarray(0, -3));
  const again = await open(path);
  expect([again.get('a'), again.get('b')]).toEqual([1, undefined]);
  await again.commit(new Map([['c', 3]]));
  const third = await open(path);
  expect(['a', 'b', 'c'].map((key) => third.get(key))).toEqual([1, undefined, 3]);
});

test('a torn end on a full disk: nothing is lost, and commits go on when there is room', async ({
  folder,
}) => {
  const path = join(folder, 'journal');
  const { disk, broken } = breakable(realDisk);
  const store = await open(path, disk);
  await store.commit(new Map([['a', 1]]));
  await store.commit(new Map([['b', 2]]));
  await writeFile(path, (await readFile(path)).subarray(0, -3));
  broken.replace = 'before';
  const again = await open(path, disk);
  await expect(again.commit(new Map([['c', 3]]))).rejects.toThrow('ENOSPC');
  delete broken.replace;
  await again.commit(new Map([['c', 3]]));
  expect((await open(path)).get('c')).toBe(3);
});

test('a damaged journal is named, with what to do, and not touched', async ({ folder }) => {
  const path = join(folder, 'journal');
  const store = await open(path);
  await store.commit(new Map([['a', 1]]));
  await store.commit(new Map([['b', 2]]));
  const damaged = await readFile(path);
  damaged[12] = (damaged[12] as number) ^ 1;
  await writeFile(path, damaged);
  await expect(open(path)).rejects.toMatchObject({
    name: 'AgentError',
    message: expect.stringContaining(`${path}, line 1 is damaged`) as string,
    hint: expect.stringContaining('Nothing was changed') as string,
  });
  expect(await readFile(path)).toEqual(damaged);
});

test('the journal is written anew when it has grown, and keeps what counts', async ({ folder }) => {
  const path = join(folder, 'journal');
  const store = await open(path);
  const large = 'x'.repeat(200_000);
  for (let n = 0; n < 12; n++) await store.commit(new Map([['large', `${large}${n}`]]));
  expect((await stat(path)).size).toBeLessThan(2 ** 20 + 400_000);
  expect((await open(path)).get('large')).toBe(`${large}11`);
});

test('a start makes one line of the journal', async ({ folder }) => {
  const path = join(folder, 'journal');
  const store = await open(path);
  for (let n = 0; n < 5; n++) await store.commit(new Map([['n', n]]));
  await open(path);
  expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(2);
});

test('a store that was closed opens its file again for the next commit', async ({ folder }) => {
  const path = join(folder, 'journal');
  const store = await open(path);
  await store.commit(new Map([['a', 1]]));
  await store.commit(new Map([['b', 2]]));
  await store.close();
  await store.commit(new Map([['c', 3]]));
  const again = await open(path);
  expect(['a', 'b', 'c'].map((key) => again.get(key))).toEqual([1, 2, 3]);
});

test('commits after the journal was written anew go to the new file', async ({ folder }) => {
  const path = join(folder, 'journal');
  const { disk, broken } = breakable(realDisk);
  const store = await open(path, disk);
  await store.commit(new Map([['a', 1]]));
  await store.commit(new Map([['b', 2]])); // the file is open now
  broken.append = 'half';
  await expect(store.commit(new Map([['c', 3]]))).rejects.toThrow('ENOSPC');
  delete broken.append;
  await store.commit(new Map([['d', 4]])); // replaces the file
  await store.commit(new Map([['e', 5]]));
  const again = await open(path);
  expect(['a', 'b', 'c', 'd', 'e'].map((key) => again.get(key))).toEqual([1, 2, undefined, 4, 5]);
});

test.for([
  ['removed', (path: string) => rm(path)],
  ['moved away', (path: string) => rename(path, `${path}.old`)],
  [
    'replaced by a copy',
    async (path: string) => {
      await copyFile(path, `${path}.copy`);
      await rename(`${path}.copy`, path);
    },
  ],
] as const)(
  'a journal that is %s under a running agent: the commit fails, and the next one writes all of it',
  async ([, lose], { folder }) => {
    const path = join(folder, 'journal');
    const store = await open(path);
    await store.commit(new Map([['a', 1]]));
    await store.commit(new Map([['b', 2]])); // the file is open now
    await lose(path);
    await expect(store.commit(new Map([['c', 3]]))).rejects.toMatchObject({
      name: 'StoreError',
      message: expect.stringMatching(/journal can't be written: .*removed or replaced/) as string,
    });
    expect(store.get('c')).toBeUndefined();
    await store.commit(new Map([['d', 4]]));
    await store.commit(new Map([['e', 5]]));
    const again = await open(path);
    expect(['a', 'b', 'c', 'd', 'e'].map((key) => again.get(key))).toEqual([1, 2, undefined, 4, 5]);
  },
);
