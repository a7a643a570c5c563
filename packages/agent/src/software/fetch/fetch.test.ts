import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { systemClock, systemRandom } from '@srup/node';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeCa, type TestCa } from '../../../../node/test/certificates.ts';
import { until } from '@srup/node/testing';
import { fileListener, serve, type FileServer } from '../../../test/file-server.ts';
import { newFolder, recordingLog, removeFolders, sha256 } from '../../../test/surroundings.ts';
import { type FetchPorts, type FetchRules, fetchSoftware } from './fetch.ts';
import { openSlots } from '../slots.ts';
import { createTransport, type Trust } from './transport.ts';

const RULES: FetchRules = {
  allowHttp: true,
  maxBytes: 2 ** 20,
  maxRedirects: 5,
  floor: { bytesPerSecond: 1024, windowMs: 10_000 },
  attempts: 3,
  backoff: { leastMs: 20, mostMs: 20 },
  deadlineMs: 15_000,
};
const FILE = randomBytes(300_000);
const ETAG = '"v1"';
const never = new AbortController().signal;

let folder: string;
let ports: FetchPorts;
const servers: FileServer[] = [];
const { log } = recordingLog();

beforeEach(async () => {
  folder = await newFolder();
  ports = await portsAt(folder);
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  await removeFolders();
});

async function portsAt(
  root: string,
  rules: Partial<FetchRules> = {},
  trust: Partial<Trust> = {},
): Promise<FetchPorts> {
  await mkdir(join(root, 'downloads'), { recursive: true });
  return {
    rules: { ...RULES, ...rules },
    folder: join(root, 'downloads'),
    slots: await openSlots(join(root, 'slots')),
    createTransport: () =>
      createTransport({ ca: '', pinnedHost: 'localhost', mode: 'system', ...trust }, systemClock),
    clock: systemClock,
    random: systemRandom,
    log,
  };
}

async function start(listener: RequestListener): Promise<FileServer> {
  const server = await serve(listener);
  servers.push(server);
  return server;
}

const wanted = (server: FileServer, content: Uint8Array = FILE) => ({
  url: `${server.url}/file`,
  digest: sha256(content),
});

const staged = (content: Uint8Array = FILE) => join(folder, 'slots', sha256(content), 'artifact');
const downloads = () => readdir(join(folder, 'downloads'));

describe('a good server', () => {
  test('the file is staged, readable by its owner only, and nothing is left over', async () => {
    const server = await start(fileListener(FILE, ETAG, () => undefined));
    const progress: [number, number | undefined][] = [];
    const onProgress = (_: string, bytes: number, total: number | undefined) =>
      void progress.push([bytes, total]);
    expect(await fetchSoftware(wanted(server), { ...ports, onProgress }, never)).toEqual({ outcome: 'ok' });
    expect(await readFile(staged())).toEqual(FILE);
    expect((await stat(staged())).mode & 0o777).toBe(0o600);
    expect(await downloads()).toEqual([]);
    expect(progress.at(-1)).toEqual([FILE.length, FILE.length]);
  });

  test('a file that is held needs no server (P 10.12)', async () => {
    const server = await start(fileListener(FILE, ETAG, () => undefined));
    await fetchSoftware(wanted(server), ports, never);
    const nowhere = { url: 'https://127.0.0.1:1/', digest: sha256(FILE) };
    expect(await fetchSoftware(nowhere, ports, never)).toEqual({ outcome: 'ok' });
  });

  test('a held file that was damaged is loaded again', async () => {
    const server = await start(fileListener(FILE, ETAG, () => undefined));
    await fetchSoftware(wanted(server), ports, never);
    await writeFile(staged(), 'something else');
    expect(await fetchSoftware(wanted(server), ports, never)).toEqual({ outcome: 'ok' });
    expect(await readFile(staged())).toEqual(FILE);
  });

  test('an empty file has a digest like any other', async () => {
    const server = await start(fileListener(new Uint8Array(), ETAG, () => undefined));
    expect(await fetchSoftware(wanted(server, new Uint8Array()), ports, never)).toEqual({ outcome: 'ok' });
  });
});

describe('interruptions', () => {
  test('cut five times, the download goes on each time where it stopped', async () => {
    const asked: (string | undefined)[] = [];
    let cuts = 5;
    const listener = fileListener(FILE, ETAG, () => (cuts-- > 0 ? 40_000 : undefined));
    const server = await start((request, response) => {
      asked.push(request.headers.range);
      listener(request, response);
    });
    const patient = await portsAt(folder, { attempts: 6 });
    expect(await fetchSoftware(wanted(server), patient, never)).toEqual({ outcome: 'ok' });
    expect(await readFile(staged())).toEqual(FILE);
    expect(asked[0]).toBeUndefined();
    expect(asked.slice(1)).toEqual([1, 2, 3, 4, 5].map((times) => `bytes=${times * 40_000}-`));
  });

  test('a new process goes on with what the old one left', async () => {
    const controller = new AbortController();
    const asked: (string | undefined)[] = [];
    const server = await start((request, response) => {
      asked.push(request.headers.range);
      const stall = asked.length === 1;
      fileListener(
        FILE,
        ETAG,
        () => undefined,
      )(
        request,
        stall
          ? Object.assign(response, { end: (body: Uint8Array) => response.write(body.subarray(0, 100_000)) })
          : response,
      );
    });
    let bytes = 0;
    const onProgress = (_: string, count: number) => void (bytes = count);
    const first = fetchSoftware(wanted(server), { ...ports, onProgress }, controller.signal);
    await until('the first part', () => bytes === 100_000);
    controller.abort(new Error('the agent stops'));
    await expect(first).rejects.toThrow('the agent stops');
    expect(await fetchSoftware(wanted(server), await portsAt(folder), never)).toEqual({ outcome: 'ok' });
    expect(asked).toEqual([undefined, 'bytes=100000-']);
    expect(await readFile(staged())).toEqual(FILE);
  });

  test('what another process put into the partial file is found out, and the file loaded anew', async () => {
    const digest = sha256(FILE);
    const server = await start(fileListener(FILE, ETAG, () => undefined));
    const url = `${server.url}/file`;
    await writeFile(join(ports.folder, `${digest}.part`), randomBytes(1000));
    await writeFile(join(ports.folder, `${digest}.json`), JSON.stringify({ url, etag: ETAG }));
    expect(await fetchSoftware({ url, digest }, ports, never)).toEqual({ outcome: 'ok' });
    expect(await readFile(staged())).toEqual(FILE);
  });

  test('a whole file that was not staged yet needs no server', async () => {
    const digest = sha256(FILE);
    const url = 'https://127.0.0.1:1/';
    await writeFile(join(ports.folder, `${digest}.part`), FILE);
    await writeFile(join(ports.folder, `${digest}.json`), JSON.stringify({ url, etag: ETAG }));
    expect(await fetchSoftware({ url, digest }, ports, never)).toEqual({ outcome: 'ok' });
  });

  test('a server that ignores Range sends all of it again', async () => {
    let tries = 0;
    const server = await start((_, response) => {
      response.writeHead(200, { etag: ETAG, 'content-length': FILE.length });
      if (tries++ > 0) response.end(FILE);
      else response.write(FILE.subarray(0, 100_000), () => response.socket?.destroySoon());
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toEqual({ outcome: 'ok' });
    expect(await readFile(staged())).toEqual(FILE);
    expect(tries).toBe(2);
  });

  test('without a strong ETag the download begins anew', async () => {
    const asked: (string | undefined)[] = [];
    const server = await start((request, response) => {
      asked.push(request.headers.range);
      response.writeHead(200, { etag: 'W/"v1"', 'content-length': FILE.length });
      if (asked.length > 1) response.end(FILE);
      else response.write(FILE.subarray(0, 100_000), () => response.socket?.destroySoon());
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toEqual({ outcome: 'ok' });
    expect(asked).toEqual([undefined, undefined]);
  });

  test('a file that changes midway is loaded from the beginning', async () => {
    const old = randomBytes(FILE.length);
    let tries = 0;
    const server = await start((request, response) => {
      tries += 1;
      const isOld = tries === 1;
      fileListener(isOld ? old : FILE, isOld ? '"old"' : '"new"', () => (isOld ? 50_000 : undefined))(
        request,
        response,
      );
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toEqual({ outcome: 'ok' });
    expect(await readFile(staged())).toEqual(FILE);
    expect(tries).toBe(2);
  });

  test('a server that mixes two versions under one ETag gets one more chance', async () => {
    const old = randomBytes(FILE.length);
    let tries = 0;
    const server = await start((request, response) => {
      tries += 1;
      fileListener(tries === 1 ? old : FILE, ETAG, () => (tries === 1 ? 50_000 : undefined))(
        request,
        response,
      );
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toEqual({ outcome: 'ok' });
    expect(tries).toBe(3);
  });

  test('a range other than the one asked for is refused, and the file loaded from the beginning', async () => {
    const asked: (string | undefined)[] = [];
    const server = await start((request, response) => {
      asked.push(request.headers.range);
      if (asked.length === 2) {
        response.writeHead(206, { etag: ETAG, 'content-range': `bytes 0-${FILE.length - 1}/${FILE.length}` });
        response.end(FILE);
      } else fileListener(FILE, ETAG, () => (asked.length === 1 ? 50_000 : undefined))(request, response);
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toEqual({ outcome: 'ok' });
    expect(asked).toEqual([undefined, 'bytes=50000-', undefined]);
  });
});

describe('what the server says', () => {
  test.each([
    [404, 'no-file', 1],
    [410, 'no-file', 1],
    [403, 'http-error', 1],
    [204, 'http-error', 1],
    [206, 'http-error', 1],
    [500, 'http-error', 3],
    [503, 'http-error', 3],
    [429, 'http-error', 3],
  ] as const)('%i is %s after %i tries', async (status, outcome, tries) => {
    let count = 0;
    const server = await start((_, response) => {
      count += 1;
      response.writeHead(status).end();
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toMatchObject({ outcome });
    expect(count).toBe(tries);
  });

  test('a busy server is asked again no sooner than it wishes', async () => {
    const times: number[] = [];
    const server = await start((request, response) => {
      times.push(performance.now());
      if (times.length === 1) response.writeHead(503, { 'retry-after': '1' }).end();
      else fileListener(FILE, ETAG, () => undefined)(request, response);
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toEqual({ outcome: 'ok' });
    expect(times[1]! - times[0]!).toBeGreaterThan(990);
  });

  test('nobody there', async () => {
    const server = await start(() => undefined);
    await server.close();
    servers.pop();
    expect(await fetchSoftware(wanted(server), ports, never)).toMatchObject({ outcome: 'no-server' });
  });
});

describe('attacks', () => {
  test('another file than announced is thrown away (threat 15)', async () => {
    for (const wrong of [
      Buffer.concat([FILE, Buffer.from('x')]),
      FILE.subarray(0, -1),
      randomBytes(FILE.length),
    ]) {
      const server = await start(fileListener(wrong, ETAG, () => undefined));
      expect(await fetchSoftware(wanted(server), ports, never)).toMatchObject({ outcome: 'bad-digest' });
      expect(await downloads()).toEqual([]);
      expect(await readdir(join(folder, 'slots'))).toEqual([]);
    }
  });

  test('more bytes than Content-Length says are not taken', async () => {
    const server = await start((_, response) => {
      response.socket?.write(`HTTP/1.1 200 OK\r\nContent-Length: ${FILE.length}\r\n\r\n`);
      response.socket?.end(Buffer.concat([FILE, Buffer.from('HTTP/1.1 200 OK\r\n\r\nmore')]));
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toEqual({ outcome: 'ok' });
    expect(await readFile(staged())).toEqual(FILE);
  });

  test('fewer bytes than Content-Length says are an interruption', async () => {
    const server = await start((_, response) => {
      response.socket?.end(`HTTP/1.1 200 OK\r\nContent-Length: ${FILE.length}\r\n\r\nshort`);
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toMatchObject({ outcome: 'no-server' });
  });

  test.each([
    [
      'that wants another protocol',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    ],
    ['whose head has no end (threat 7)', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`],
    ['that is none', 'nonsense\r\n\r\n'],
  ])('an answer %s counts as none', async (_, answer) => {
    let count = 0;
    const server = await start((_, response) => {
      count += 1;
      response.socket?.write(answer);
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toMatchObject({ outcome: 'no-server' });
    expect(count).toBe(RULES.attempts);
  });

  test('a body without end stops at the limit (threat 7)', async () => {
    const server = await start((request, response) => {
      const more = () => {
        while (!request.socket.destroyed && response.write(randomBytes(65_536)));
      };
      response.on('drain', more);
      more();
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toEqual({
      outcome: 'no-file',
      reason: `the file is larger than ${RULES.maxBytes} bytes`,
    });
    expect(await downloads()).toEqual([]);
  });

  test('a Content-Length over the limit is refused before a byte is taken', async () => {
    let sent = false;
    const server = await start((_, response) => {
      response.writeHead(200, { 'content-length': RULES.maxBytes + 1 });
      response.flushHeaders();
      response.once('close', () => (sent = true));
    });
    expect(await fetchSoftware(wanted(server), ports, never)).toMatchObject({ outcome: 'no-file' });
    await until('the connection is closed', () => sent);
  });

  test('a file for which there is no room is refused before a byte is taken', async () => {
    const roomy = await portsAt(folder, { maxBytes: Number.MAX_SAFE_INTEGER });
    const server = await start((_, response) => {
      response.writeHead(200, { 'content-length': 2 ** 50 }).flushHeaders();
    });
    expect(await fetchSoftware(wanted(server), roomy, never)).toMatchObject({
      outcome: 'no-file',
      reason: `no room on the disk for ${2 ** 50} bytes`,
    });
  });

  test.each(['from the first byte', 'after a part'])(
    'a trickle counts as no answer (threat 8), %s',
    async (how) => {
      const timers: NodeJS.Timeout[] = [];
      const server = await start((_, response) => {
        response.writeHead(200, { etag: ETAG, 'content-length': FILE.length });
        if (how === 'after a part') response.write(FILE.subarray(0, 50));
        timers.push(setInterval(() => response.write('x'), 50));
      });
      const strict = await portsAt(folder, { floor: { bytesPerSecond: 1024, windowMs: 300 }, attempts: 2 });
      expect(await fetchSoftware(wanted(server), strict, never)).toEqual({
        outcome: 'no-server',
        reason: 'the server sends too slowly',
      });
      timers.forEach(clearInterval);
    },
  );

  test('a server that accepts and says nothing counts as none', async () => {
    const server = await start(() => undefined);
    const strict = await portsAt(folder, { floor: { bytesPerSecond: 1, windowMs: 200 }, attempts: 2 });
    expect(await fetchSoftware(wanted(server), strict, never)).toMatchObject({ outcome: 'no-server' });
  });

  test('the deadline holds over all tries', async () => {
    const server = await start(fileListener(FILE, ETAG, () => 1));
    const hurried = await portsAt(folder, { attempts: 1_000_000, deadlineMs: 700 });
    expect(await fetchSoftware(wanted(server), hurried, never)).toMatchObject({ outcome: 'no-server' });
  });

  test('a link in the place of the partial file is not written through', async () => {
    const server = await start(fileListener(FILE, ETAG, () => undefined));
    const victim = join(folder, 'victim');
    await writeFile(victim, 'precious');
    await symlink(victim, join(ports.folder, `${sha256(FILE)}.part`));
    await expect(fetchSoftware(wanted(server), ports, never)).rejects.toMatchObject({ code: 'ELOOP' });
    expect(await readFile(victim, 'utf8')).toBe('precious');
  });
});

describe('redirects (threat 13)', () => {
  let ca: TestCa;
  beforeAll(async () => {
    ca = await makeCa();
  });

  async function startSecure(listener: RequestListener, host = 'localhost'): Promise<FileServer> {
    const issued = await ca.issue({ commonName: 'files', hosts: ['localhost', '127.0.0.1'] });
    const server = await serve(listener, { issued, host });
    servers.push(server);
    return server;
  }
  const redirectTo =
    (location: () => string): RequestListener =>
    (_, response) => {
      response.writeHead(302, { location: location() }).end();
    };
  const secure = (rules: Partial<FetchRules> = {}, trust: Partial<Trust> = {}) =>
    portsAt(folder, { allowHttp: false, ...rules }, { ca: ca.pem, mode: 'pinned', ...trust });

  test('from https to https is followed, relative ones too', async () => {
    const files = await startSecure(fileListener(FILE, ETAG, () => undefined));
    const server = await startSecure((request, response) => {
      redirectTo(() => (request.url === '/file' ? '/other' : `${files.url}/file`))(request, response);
    });
    expect(await fetchSoftware(wanted(server), await secure(), never)).toEqual({ outcome: 'ok' });
  });

  test('from https to http is refused, even where http is allowed', async () => {
    let asked = 0;
    const plain = await start(() => (asked += 1));
    const server = await startSecure(redirectTo(() => `${plain.url}/file`));
    for (const allowHttp of [false, true]) {
      expect(await fetchSoftware(wanted(server), await secure({ allowHttp }), never)).toEqual({
        outcome: 'no-file',
        reason: 'a redirect from https: to http:',
      });
    }
    expect(asked).toBe(0);
  });

  test('they are counted', async () => {
    let count = 0;
    const server = await startSecure((request, response) => {
      count += 1;
      redirectTo(() => '/file')(request, response);
    });
    expect(await fetchSoftware(wanted(server), await secure(), never)).toMatchObject({ outcome: 'no-file' });
    expect(count).toBe(RULES.maxRedirects + 1);
  });

  test('a host that is not allowed is not asked, at the beginning and by redirect', async () => {
    let asked = 0;
    const files = await startSecure(() => (asked += 1), '127.0.0.1');
    const server = await startSecure(redirectTo(() => `${files.url}/file`));
    const picky = await secure({ hosts: ['localhost'] });
    for (const from of [server, files]) {
      expect(await fetchSoftware(wanted(from), picky, never)).toEqual({
        outcome: 'no-file',
        reason: expect.stringMatching(/^the host 127.0.0.1:\d+ is not allowed$/) as string,
      });
    }
    expect(asked).toBe(0);
  });

  test('a host may be listed with its port, in any case, and no other port is asked then', async () => {
    const files = await startSecure(fileListener(FILE, ETAG, () => undefined));
    const server = await startSecure(redirectTo(() => `${files.url}/file`));
    const { port } = new URL(server.url);
    const listed = [`LocalHost:${port}`];
    expect(await fetchSoftware(wanted(server), await secure({ hosts: listed }), never)).toMatchObject({
      reason: `the host ${new URL(files.url).host} is not allowed`,
    });
    const both = [...listed, `localhost:${new URL(files.url).port}`];
    expect(await fetchSoftware(wanted(server), await secure({ hosts: both }), never)).toEqual({
      outcome: 'ok',
    });
  });

  test('plain http, other schemes and addresses with a password are refused', async () => {
    const ports = await secure();
    for (const url of [
      'http://localhost/x',
      'file:///etc/passwd',
      'https://me:secret@localhost/x',
      'nonsense',
    ]) {
      expect(await fetchSoftware({ url, digest: sha256(FILE) }, ports, never)).toMatchObject({
        outcome: 'no-file',
      });
    }
  });

  test('whom to believe: the pinned CA for its host, the system for others', async () => {
    const listener = fileListener(FILE, ETAG, () => undefined);
    const pinned = await startSecure(listener);
    const other = await startSecure(listener, '127.0.0.1');
    const once = { attempts: 1 };
    const auto = await secure(once, { mode: 'auto' });
    expect(await fetchSoftware(wanted(other), auto, never)).toMatchObject({ outcome: 'no-server' });
    expect(await fetchSoftware(wanted(pinned), await secure(once, { mode: 'system' }), never)).toMatchObject({
      outcome: 'no-server',
    });
    expect(await fetchSoftware(wanted(pinned), auto, never)).toEqual({ outcome: 'ok' });
    expect(await fetchSoftware(wanted(other), await secure(once), never)).toEqual({ outcome: 'ok' });
  });
});

test('an aborted fetch rejects with the reason, at any time', async () => {
  const controller = new AbortController();
  const server = await start(() => {
    controller.abort(new Error('now'));
  });
  await expect(fetchSoftware(wanted(server), ports, controller.signal)).rejects.toThrow('now');
  await expect(fetchSoftware(wanted(server), ports, controller.signal)).rejects.toThrow('now');
  await turn();
});
