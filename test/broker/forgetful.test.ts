import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { VerifyReport } from '@srup/protocol';
import { test } from '../support/fixtures.ts';
import { openArena, type Arena } from '../attacks/support/arena.ts';
import { canRun } from '../support/brokers.ts';
import { runSrup } from '../support/processes.ts';
import type { Ground } from '../support/server.ts';
import { until } from '../support/wait.ts';

/** With one update and one question: 200 messages. */
const DATA = 138;
const ACTIONS = 60;
/** Time for all of it after the broker came back, in milliseconds: less than the first retry of an update. */
const BOUND_MS = 40_000;

async function linesOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

interface Orders {
  readonly actions: readonly string[];
  readonly notes: readonly string[];
  readonly question: string;
  readonly update: string;
  readonly digest: string;
}

/** Orders all kinds mixed; they can overtake each other on the way to the server. */
async function orderAll(arena: Arena, id: string): Promise<Orders> {
  const software = 'new software';
  const digest = createHash('sha256').update(software).digest('hex');
  await arena.upload(software, digest);
  const notes = Array.from({ length: DATA }, (_, n) => `n${n}`);
  const noting = notes.map((text) =>
    arena.command(id, { kind: 'data', dataId: 'note', value: { type: 'text', text: `${text}\n` } }),
  );
  const acting = Array.from({ length: ACTIONS }, () => arena.command(id, { kind: 'action', actionId: 0x40 }));
  const update = await arena.command(id, { kind: 'update', digest, activate: true });
  const question = await arena.command(id, { kind: 'identify' });
  await Promise.all(noting);
  return { notes, actions: await Promise.all(acting), question, update, digest };
}

async function verifyAudit(ground: Ground): Promise<VerifyReport> {
  const file = join(ground.folder, 'history.jsonl');
  const profile = { SRUP_CONFIG: join(ground.folder, 'ctl.json') };
  expect(await runSrup(['audit', 'export', '-o', file], profile)).toMatchObject({ code: 0 });
  const { stdout, stderr } = await runSrup(['verify', file, '--json']);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as VerifyReport;
}

describe.skipIf(!canRun('mosquitto'))('Mosquitto is killed', () => {
  test('with 200 messages for a device that is away: each has its effect, once, in bounded time', async ({
    ground,
  }) => {
    const arena = await openArena(ground, 'mosquitto');
    const mosquitto = arena.external!;
    const [noted, acted] = [join(ground.folder, 'noted'), join(ground.folder, 'acted')];
    const target = join(ground.folder, 'target');
    const { id, device } = await arena.joined('away', {
      software: { installer: 'file', target },
      data: { command: ['/bin/sh', '-c', `cat >> '${noted}'`] },
      actions: { commands: { '40': ['/bin/sh', '-c', `echo done >> '${acted}'`] } },
    });
    await device.process.stop();
    const orders = await orderAll(arena, id);
    const queued = new RegExp(`Received PUBLISH from ${mosquitto.serverId} .*'SRUP/${id}'`, 'g');
    await until('all of it is at the broker', () => (mosquitto.log().match(queued) ?? []).length >= 200);
    await mosquitto.kill();
    await mosquitto.start();
    device.restart();

    const began = performance.now();
    await arena.phase(id, orders.update, 'active');
    for (const token of orders.actions) await arena.phase(id, token, 'done');
    await arena.phase(id, orders.question, 'answered');
    await until('all DATA has come', async () => new Set(await linesOf(noted)).size === DATA);
    expect(performance.now() - began).toBeLessThan(BOUND_MS);

    expect((await linesOf(noted)).sort()).toEqual([...orders.notes].sort());
    expect(await linesOf(acted)).toEqual(orders.actions.map(() => 'done'));
    expect(await readFile(target, 'utf8')).toBe('new software');
    expect((await arena.device(id)).running?.digest).toBe(orders.digest);
    expect(await verifyAudit(ground)).toMatchObject({ ok: true });
  });
});
