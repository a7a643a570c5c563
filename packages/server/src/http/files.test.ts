import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Fastify from 'fastify';
import { systemClock } from '@srup/node';
import { describe, expect } from 'vitest';
import { test as base } from '../../test/fixtures.ts';
import { openArtifacts } from '../artifacts/artifacts.ts';
import { serveFiles } from './routes/files.ts';

const content = randomBytes(1000);
const digest = createHash('sha256').update(content).digest('hex');

const it = base
  /** Where the one artifact is served. */
  .extend('url', async ({ folder, store }, { onCleanup }): Promise<string> => {
    const artifacts = await openArtifacts({ folder: join(folder, 'files') }, { store, clock: systemClock });
    await artifacts.add({
      name: 'x',
      content: (async function* () {
        yield content;
      })(),
    });
    const app = Fastify();
    onCleanup(() => app.close());
    serveFiles(app, artifacts);
    return `${await app.listen({ host: '127.0.0.1', port: 0 })}/artifacts/${digest}`;
  })
  .extend('get', ({ url }) => async (headers: Record<string, string>) => {
    const response = await fetch(url, { headers });
    return {
      status: response.status,
      headers: response.headers,
      body: Buffer.from(await response.arrayBuffer()),
    };
  });

describe('serving artifacts', () => {
  it('gives the whole file with its digest as a strong ETag', async ({ get }) => {
    const { status, headers, body } = await get({});
    expect(status).toBe(200);
    expect(headers.get('etag')).toBe(`"${digest}"`);
    expect(headers.get('content-length')).toBe('1000');
    expect(body).toEqual(content);
  });

  it.for<[string, Buffer, string]>([
    ['bytes=0-99', content.subarray(0, 100), 'bytes 0-99/1000'],
    ['bytes=990-', content.subarray(990), 'bytes 990-999/1000'],
    ['bytes=-10', content.subarray(990), 'bytes 990-999/1000'],
    ['bytes=500-5000', content.subarray(500), 'bytes 500-999/1000'],
    ['bytes=-5000', content, 'bytes 0-999/1000'],
  ])('gives the part %s', async ([range, part, contentRange], { get }) => {
    const { status, headers, body } = await get({ range });
    expect(status).toBe(206);
    expect(headers.get('content-range')).toBe(contentRange);
    expect(body).toEqual(part);
  });

  it.for(['bytes=1000-', 'bytes=5-4', 'bytes=-0'])('can not satisfy %s', async (range, { get }) => {
    const { status, headers } = await get({ range });
    expect(status).toBe(416);
    expect(headers.get('content-range')).toBe('bytes */1000');
  });

  it.for(['bytes=0-1,5-6', 'lines=1-2', 'bytes=-', 'bytes=a-b'])(
    'ignores the range %s',
    async (range, { get }) => {
      expect((await get({ range })).status).toBe(200);
    },
  );

  it('honours If-Range only with the same content', async ({ get }) => {
    expect((await get({ range: 'bytes=1-2', 'if-range': `"${digest}"` })).status).toBe(206);
    expect((await get({ range: 'bytes=1-2', 'if-range': '"another"' })).status).toBe(200);
  });

  it('says "not modified" to a client that has it', async ({ get }) => {
    const { status, body } = await get({ 'if-none-match': `"${digest}"` });
    expect(status).toBe(304);
    expect(body).toHaveLength(0);
  });

  it('answers HEAD without the content', async ({ url }) => {
    const response = await fetch(url, { method: 'HEAD' });
    expect(response.headers.get('content-length')).toBe('1000');
    expect(await response.text()).toBe('');
  });

  it.for(['0'.repeat(64), '..%2fserver.db', 'x'])('knows no artifact %s', async (name, { url }) => {
    expect((await fetch(url.replace(digest, name))).status).toBe(404);
  });
});
