import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeCa, type TestCa } from '../../../node/test/certificates.ts';
import { until } from '@srup/node/testing';
import { fileListener, type FileServer, serve } from '../../test/file-server.ts';
import {
  newFolder,
  removeFolders,
  sha256,
  surroundingsAt,
  type TestSurroundings,
} from '../../test/surroundings.ts';
import type { AgentConfigInput } from '../config/config.ts';
import type { Performers } from '../engine/performers.ts';
import { createPerformers } from './performers.ts';

const never = new AbortController().signal;
const DEMO = fileURLToPath(new URL('../../../../examples/demo/', import.meta.url));

let folder: string;
let ca: TestCa;
let server: FileServer;
let content: Uint8Array;
let performers: Performers;
let surroundings: TestSurroundings;

beforeEach(async () => {
  folder = await newFolder();
  ca = await makeCa();
  const issued = await ca.issue({ commonName: 'files', hosts: ['localhost'] });
  server = await serve(
    (request, response) => {
      fileListener(content, '"v1"', () => undefined)(request, response);
    },
    { issued },
  );
});
afterEach(async () => {
  await performers.stop();
  await server.close();
  await removeFolders();
});

async function start(config: Partial<AgentConfigInput>): Promise<void> {
  surroundings = surroundingsAt(folder, config, { ca: () => ca.pem });
  performers = createPerformers(surroundings);
  await performers.start();
}

/** As the engine does it: fetch, then install. */
async function update(bytes: Uint8Array): Promise<{ digest: string; outcome: string; reason?: string }> {
  content = bytes;
  const digest = createHash('sha256').update(bytes).digest('hex');
  const token = `token ${digest}`;
  expect(await performers.fetch({ do: 'fetch', token, url: `${server.url}/file`, digest }, never)).toBe('ok');
  return { digest, ...(await performers.install({ do: 'install', token, digest }, never)) };
}

const reported = (dataId: string): string[] =>
  surroundings.reports
    .filter((report) => report.dataId === dataId)
    .map(({ data }) => Buffer.from(data).toString());

describe('the demo', () => {
  const config: Partial<AgentConfigInput> = {
    software: { command: ['{node}', '{path}'], env: { DEMO_SECONDS: '0.1' } },
    health: { aliveSeconds: 2 },
  };

  test('one, two, and a broken one that gives way to two; SIGTERM ends it cleanly', async () => {
    await start(config);
    const one = await readFile(join(DEMO, 'thermometer-v1.mjs'));
    const two = await readFile(join(DEMO, 'thermometer-v2.mjs'));
    expect(await update(one)).toMatchObject({ outcome: 'active' });
    await until('its version', () => reported('temperature').length > 0);
    expect(reported('version')).toEqual(['1.0.0']);
    const { data } = surroundings.reports.find(({ dataId }) => dataId === 'temperature')!;
    expect(Buffer.from(data).readDoubleLE()).toBeGreaterThan(15);
    const second = await update(two);
    expect(second.outcome).toBe('active');
    expect(surroundings.lines.map(({ text }) => text)).toContain('demo thermometer 1.0.0 stopped');
    await until('its comfort', () => reported('comfort').length > 0);
    expect(await update(await readFile(join(DEMO, 'broken.mjs')))).toMatchObject({
      outcome: 'reverted',
      reason: 'the program ended: exit code 1',
    });
    expect(performers.running()).toMatchObject({ digest: second.digest, program: 'running' });
    await until('two reports again', () => reported('version').at(-1) === '2.0.0');
    expect(reported('version')).toEqual(['1.0.0', '2.0.0', '3.0.0-broken', '2.0.0']);
  });
});

describe('start', () => {
  test('clears what a power cut left, and keeps what is worth it', async () => {
    const software = join(folder, 'software');
    await mkdir(join(software, 'downloads'), { recursive: true });
    await writeFile(join(software, '.current.json.0badcafe.tmp'), '{');
    await writeFile(join(software, 'downloads', '.x.json.0badcafe.tmp'), '{');
    await writeFile(join(software, 'downloads', `${sha256('x')}.part`), 'x');
    await start({});
    expect(new Set(await readdir(software))).toEqual(new Set(['downloads', 'mark', 'slots', 'work']));
    expect(await readdir(join(software, 'downloads'))).toEqual([`${sha256('x')}.part`]);
  });

  test('a health address elsewhere is a mistake of the configuration', async () => {
    await expect(start({ health: { url: 'http://10.0.0.1/' } })).rejects.toMatchObject({
      name: 'AgentError',
    });
  });

  test('a factory file that is not there is one, too', async () => {
    await expect(start({ software: { factory: join(folder, 'none') } })).rejects.toMatchObject({
      name: 'AgentError',
      hint: expect.stringContaining('software.factory') as string,
    });
  });
});

test('a fetch that fails for a reason of the disk is answered, and told to the log', async () => {
  await start({});
  content = Buffer.from('x');
  const digest = sha256('x');
  await mkdir(join(folder, 'software', 'downloads', `${digest}.part`));
  const effect = { do: 'fetch', token: 't', url: `${server.url}/file`, digest } as const;
  expect(await performers.fetch(effect, never)).toBe('no-file');
  expect(surroundings.lines.at(-1)).toMatchObject({ level: 'error' });
});

test('two tokens for one file load it once', async () => {
  let asked = 0;
  await start({});
  content = Buffer.from('shared');
  await server.close();
  const issued = await ca.issue({ commonName: 'files', hosts: ['localhost'] });
  server = await serve(
    (request, response) => {
      asked += 1;
      fileListener(content, '"v1"', () => undefined)(request, response);
    },
    { issued },
  );
  const effect = { do: 'fetch', url: `${server.url}/file`, digest: sha256(content) } as const;
  const outcomes = await Promise.all(
    ['a', 'b'].map((token) => performers.fetch({ ...effect, token }, never)),
  );
  expect(outcomes).toEqual(['ok', 'ok']);
  expect(asked).toBe(1);
});

test('stop ends everything, at any time, and may be repeated', async () => {
  await start({ health: { aliveSeconds: 600 }, software: { command: ['/bin/sleep', '1000'] } });
  content = Buffer.from('x');
  const digest = sha256(content);
  await performers.fetch({ do: 'fetch', token: 't', url: `${server.url}/x`, digest }, never);
  const installed = performers.install({ do: 'install', token: 't', digest }, never);
  await until('the trial', () => performers.running().program === 'running');
  await Promise.all([expect(installed).rejects.toThrow('the agent stops'), performers.stop()]);
  expect(performers.running().program).toBe('stopped');
  await performers.stop();
});
