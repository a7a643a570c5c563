/** Threat 7: bodies without end, archives that swell, fields and messages as long as they get (P 2.4, 10.2). */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { encodeText, MAX_MESSAGE_BYTES, STATUS } from '@srup/protocol';
import { onEachBroker } from '../support/fixtures.ts';
import { runsPrograms, writeProgram, type Program } from '../support/programs.ts';
import { PATIENT, until } from '../support/wait.ts';
import type { Arena, Victim } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { enrolAttacker } from './support/attacker.ts';
import { expectUnharmed, leftovers, loadFrom, orderFrom } from './support/download.ts';
import { startMirror, type Mirror } from './support/mirror.ts';
import type { MutationName } from './support/mutations.ts';

const LIMIT = 200_000;
/** More than all buffers on the way hold together. */
const FAR_BEYOND = 40_000_000;

describe('files', () => {
  let arena: Arena;
  let factory: Program;
  let sent = 0;

  test.beforeAll(async ({ openArena }) => {
    arena = await openArena('embedded', { front: true });
    factory = await writeProgram(arena.ground, 'factory');
  });

  function start(name: string, checks: readonly MutationName[] = []): Promise<Victim> {
    const fetch = { maxBytes: LIMIT, maxUnpackedBytes: LIMIT, attempts: 1 };
    return arena.joined(name, { software: runsPrograms(factory), fetch }, checks);
  }

  function endless(headers: Record<string, string> = {}): Promise<Mirror> {
    const chunk = Buffer.alloc(65_536, 'x');
    const listener: RequestListener = (_request, response) => {
      response.writeHead(200, headers);
      sent = 0;
      const more = (): void => {
        do sent += chunk.length;
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', more);
      more();
    };
    return startMirror(arena, listener);
  }

  test('bodies without end, lying lengths and encodings are cut, and nothing is left of them', async () => {
    const victim = await start('pump');
    const program = await writeProgram(arena.ground, 'v2');
    const swollen = gzipSync(Buffer.alloc(FAR_BEYOND));
    const answers: [Mirror, number][] = [
      [await endless(), STATUS.UPDATE_FAIL_FILE],
      [await endless({ 'content-length': String(2 ** 50) }), STATUS.UPDATE_FAIL_FILE],
      [await endless({ 'content-length': String(LIMIT) }), STATUS.UPDATE_FAIL_DIGEST],
      [
        await startMirror(arena, (_request, response) =>
          response.writeHead(200, { 'content-encoding': 'gzip' }).end(swollen),
        ),
        STATUS.UPDATE_FAIL_DIGEST,
      ],
    ];
    for (const [index, [mirror, status]] of answers.entries()) {
      const exchange = await loadFrom(arena, mirror, victim, program);
      expect([index, exchange.status]).toEqual([index, status]);
      expect(sent).toBeLessThan(FAR_BEYOND);
      expect(await leftovers(victim)).toEqual([]);
    }
    await expectUnharmed(arena, victim, program);
  });

  test('without the limit of a body, it is taken for as long as it comes', async () => {
    const victim = await start('greedy', ['bodySize']);
    const program = await writeProgram(arena.ground, 'v3');
    await orderFrom(arena, await endless(), victim, program);
    await until('far more than the limit was taken', () => sent > FAR_BEYOND);
    await victim.device.process.stop();
  });

  /** A small archive with a program and a large file in it. */
  async function bomb(name: string): Promise<{ digest: string; content: Uint8Array }> {
    const folder = join(arena.ground.folder, name);
    await mkdir(folder);
    await writeFile(
      join(folder, 'main.cjs'),
      `console.log('version=${name}'); setInterval(() => {}, 1000);\n`,
    );
    await writeFile(join(folder, 'zeros'), new Uint8Array(10 * LIMIT));
    const tar = execFileSync('tar', ['cf', '-', '-C', folder, 'main.cjs', 'zeros'], { maxBuffer: 2 ** 30 });
    const content = gzipSync(tar);
    expect(content.length).toBeLessThan(LIMIT);
    return { content, digest: createHash('sha256').update(content).digest('hex') };
  }

  async function install(victim: Victim, name: string) {
    const { content, digest } = await bomb(name);
    arena.front?.leadTo(arena.httpsPort);
    await arena.upload(content, digest);
    const token = await arena.command(victim.id, { kind: 'update', digest, activate: true });
    const { phase } = await arena.phase(victim.id, token, 'active', 'reverted');
    const slot = join(victim.device.home, 'software', 'slots', digest, 'content');
    return { phase, isThere: existsSync(join(slot, 'zeros')) };
  }

  /** Runs the main file of an archive, and the factory's file as it is. */
  const command: [string, ...string[]] = [
    process.execPath,
    '-e',
    "const at = process.argv[1]; require(require('node:fs').statSync(at).isDirectory() ? `${at}/main.cjs` : at)",
    '{path}',
  ];
  const packed = (name: string, checks: readonly MutationName[] = []): Promise<Victim> =>
    arena.joined(
      name,
      { software: { ...runsPrograms(factory), command }, fetch: { maxUnpackedBytes: LIMIT } },
      checks,
    );

  test('an archive that swells beyond the limit is not unpacked', async () => {
    const victim = await packed('unpacking');
    expect(await install(victim, 'v4')).toEqual({ phase: 'reverted', isThere: false });
  });

  test('without the limit of an archive, all of it is unpacked', async () => {
    const victim = await packed('swelling', ['unpackedSize']);
    expect(await install(victim, 'v5')).toEqual({ phase: 'active', isThere: true });
  });
});

onEachBroker('messages', (broker) => {
  let arena: Arena;

  test.beforeAll(async ({ openArena }) => {
    arena = await openArena(broker, { lawless: true });
  });

  const filled = (dataBytes: number, idLetters = 8) => ({
    dataId: 'd'.repeat(idLetters),
    data: new Uint8Array(randomBytes(dataBytes)),
  });

  /** A message of more than 100,000 bytes in fields of up to 64 KiB each. */
  async function shout() {
    const device = await enrolAttacker(arena);
    const link = await device.join();
    const body = filled(65_000, 60_000);
    const written = await device.say(link, 'DATA', body);
    expect(written.bytes.length).toBeGreaterThan(MAX_MESSAGE_BYTES);
    return { device, dataId: body.dataId };
  }

  test('the longest that may be is taken; a longer one is not, and others are served as before', async () => {
    await arena.lacking();
    const other = await enrolAttacker(arena);
    const link = await other.join();
    await other.say(link, 'DATA', filled(65_000));
    await expect.poll(() => arena.data(other.text, 'd'.repeat(8)), PATIENT).toHaveLength(1);

    const { device, dataId } = await shout();
    await other.say(link, 'DATA', { dataId: 'level', data: encodeText('7') });
    await expect.poll(() => arena.data(other.text, 'level'), PATIENT).toEqual(['7']);
    expect(await stored(device.text, dataId)).toBe(0);
  });

  test('without the limit of a message, one of any length is taken and stored', async () => {
    await arena.lacking('messageSize');
    const { device, dataId } = await shout();
    await until('it was stored', async () => (await stored(device.text, dataId)) === 1);
  });

  /** An id of that length fits no query. */
  async function stored(device: string, dataId: string): Promise<number> {
    const rows = await arena.api.list<{ dataId: string }>(`/devices/${device}/data`);
    return rows.filter((row) => row.dataId === dataId).length;
  }
});
