import { createHash, randomBytes } from 'node:crypto';
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@srup/node';
import { describe, expect } from 'vitest';
import { test as base } from '../../test/fixtures.ts';
import { openArtifacts, type Artifacts, type Upload } from './artifacts.ts';

const LIMIT = 100_000;

const it = base
  .extend('open', ({ folder, store }) => (): Promise<Artifacts> => {
    const options = { folder: join(folder, 'files'), limitBytes: LIMIT };
    return openArtifacts(options, { store, clock: systemClock });
  })
  .extend('artifacts', ({ open }) => open());

async function* chunks(...parts: Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('artifacts', () => {
  it('are stored under their digest, readable by their owner only', async ({ artifacts }) => {
    const content = randomBytes(50_000);
    const added = await artifacts.add({
      content: chunks(content.subarray(0, 7), content.subarray(7)),
      name: 'app',
    });
    expect(added).toMatchObject({ digest: sha256(content), bytes: content.length, name: 'app' });
    const file = await artifacts.file(added.digest);
    expect(await readFile(file?.path ?? '')).toEqual(content);
    expect((await stat(file?.path ?? '')).mode & 0o777).toBe(0o600);
  });

  it('store the same content once', async ({ artifacts }) => {
    const content = randomBytes(10);
    await artifacts.add({ content: chunks(content), name: 'first' });
    await artifacts.add({ content: chunks(content), name: 'second', version: '2' });
    const { rows } = await artifacts.list({});
    expect(rows).toMatchObject([{ digest: sha256(content), name: 'second', version: '2' }]);
  });

  it.for<[string, Omit<Upload, 'name'>, string]>([
    ['too large', { content: chunks(randomBytes(LIMIT), randomBytes(1)) }, 'too-large'],
    ['empty', { content: chunks() }, 'empty'],
    [
      'another content than announced',
      { content: chunks(randomBytes(3)), digest: '0'.repeat(64) },
      'digest-mismatch',
    ],
  ])('refuse a file that is %s and keep nothing of it', async ([, upload, kind], { folder, artifacts }) => {
    await expect(artifacts.add({ ...upload, name: 'x' })).rejects.toMatchObject({ kind });
    expect((await artifacts.list({})).rows).toEqual([]);
    expect(await readdir(join(folder, 'files'), { recursive: true })).toEqual(['incoming']);
  });

  it('keep nothing of an upload that breaks off', async ({ folder, artifacts }) => {
    async function* broken(): AsyncIterable<Uint8Array> {
      yield randomBytes(10);
      throw new Error('connection reset');
    }
    await expect(artifacts.add({ content: broken(), name: 'x' })).rejects.toThrow('connection reset');
    expect(await readdir(join(folder, 'files', 'incoming'))).toEqual([]);
  });

  it('remove at the next start what a killed upload left', async ({ folder, artifacts: _first, open }) => {
    await writeFile(join(folder, 'files', 'incoming', 'left-over'), 'half');
    await open();
    expect(await readdir(join(folder, 'files', 'incoming'))).toEqual([]);
  });

  it.for(['../server.db', 'incoming', '..', 'A'.repeat(64), ''])(
    'find no file by the name "%s"',
    async (name, { artifacts }) => {
      expect(await artifacts.file(name)).toBeUndefined();
      expect(await artifacts.remove(name)).toBe(false);
    },
  );

  it('are listed in pages and found by a part of name, version or digest, with wildcards as letters', async ({
    artifacts,
  }) => {
    for (const name of ['pump 100%', 'pump_a', 'valve']) {
      await artifacts.add({ content: chunks(Buffer.from(name)), name, version: `v-${name}` });
    }
    const first = await artifacts.list({ limit: 2 });
    const second = await artifacts.list({ limit: 2, cursor: first.next });
    expect([...first.rows, ...second.rows].map((row) => row.name).sort()).toEqual([
      'pump 100%',
      'pump_a',
      'valve',
    ]);
    expect(second.next).toBeUndefined();
    expect((await artifacts.list({ search: '0%' })).rows.map((row) => row.name)).toEqual(['pump 100%']);
    expect((await artifacts.list({ search: '_' })).rows.map((row) => row.name)).toEqual(['pump_a']);
    expect((await artifacts.list({ search: sha256(Buffer.from('valve')).slice(3, 20) })).rows).toHaveLength(
      1,
    );
  });

  it.for([{ limit: 0 }, { limit: 501 }, { cursor: '0' }, { cursor: 'abc' }])(
    'are not listed for a page that there can not be: %j',
    async (query, { artifacts }) => {
      await expect(artifacts.list(query)).rejects.toMatchObject({ kind: 'invalid' });
    },
  );

  it('are removed with row and file', async ({ artifacts }) => {
    const { digest } = await artifacts.add({ content: chunks(randomBytes(5)), name: 'x' });
    expect(await artifacts.remove(digest)).toBe(true);
    expect(await artifacts.file(digest)).toBeUndefined();
    expect(await artifacts.find(digest)).toBeUndefined();
  });
});
