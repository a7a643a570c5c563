import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { expect } from 'vitest';
import { test } from '../support/fixtures.ts';
import { startSite } from '../support/server.ts';

/** The time that the documents promise, in milliseconds; systemd waits longer. */
const STOPS_WITHIN_MS = 20_000;
/** More than the buffers between server and client hold. */
const ARTIFACT_BYTES = 32 * 2 ** 20;

test('a server ends in good order though a download, an upload and an event stream are open', async ({
  ground,
  site,
}) => {
  const content = randomBytes(ARTIFACT_BYTES);
  const file = join(ground.folder, 'big');
  await writeFile(file, content);
  expect(await site.ctl('upload', file)).toMatchObject({ code: 0 });
  const { secret } = await site.ask<{ secret: string }>('tokens', 'create', 'stop', '--role', 'operator');
  const ca = await readFile(join(ground.folder, 'server', 'authority', 'ca.pem'));
  const headers = { authorization: `Bearer ${secret}` };
  const open = (path: string, options: RequestOptions = {}) => {
    const outgoing = request(`${site.url}${path}`, { ca, headers, agent: false, ...options });
    outgoing.on('error', () => undefined); // which is what it should come to
    ground.later(() => outgoing.destroy());
    return outgoing;
  };
  const answer = async (path: string): Promise<IncomingMessage> => {
    const [incoming] = (await once(open(path).end(), 'response')) as [IncomingMessage];
    return incoming.on('error', () => undefined);
  };

  const download = await answer(`/artifacts/${createHash('sha256').update(content).digest('hex')}`);
  expect(download.statusCode).toBe(200); // and is not read
  const events = await answer('/api/v1/events');
  await once(events, 'data');
  const upload = open('/api/v1/artifacts?name=slow', {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/octet-stream', 'content-length': 1000 },
  });
  upload.write('the beginning');
  await once(upload, 'socket');

  const asked = performance.now();
  expect(await site.process.stop('SIGTERM')).toBe(0);
  expect(performance.now() - asked).toBeLessThan(STOPS_WITHIN_MS);
  expect(site.process.stderr()).not.toMatch(/"level":"(error|fatal)"/);

  // The next start can use the folder.
  const again = await startSite(ground, site.sameAgain);
  expect(await again.ctl('artifacts')).toMatchObject({ code: 0 });
});
