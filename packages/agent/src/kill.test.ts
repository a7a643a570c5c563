import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHex, type TokenKey } from '@srup/protocol';
import { makeWorld, type World } from '../test/world.ts';

const CHILD = fileURLToPath(new URL('../test/child.ts', import.meta.url));
const SECOND = 1000;

let world: World;
let child: ChildProcess;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => {
  child.removeAllListeners('exit');
  child.kill('SIGKILL');
  await world.close();
});

/** Starts the agent; it is started again whenever it dies. Resolves when it is joined. */
async function launch(onDeath: () => void): Promise<void> {
  const config = { url: world.service.url, caFingerprint: world.broker.ca.fingerprint, type: 'demo' };
  child = spawn(process.execPath, [CHILD, world.home, JSON.stringify(config)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const dies = once(child, 'exit');
  child.once('exit', onDeath);
  await Promise.race([once(child.stdout!, 'data'), dies]);
}

async function performed(effect: string, token: TokenKey): Promise<number> {
  const lines = await readFile(join(world.home, 'performed'), 'utf8').catch(() => '');
  return lines.split('\n').filter((line) => line === `${effect} ${token}`).length;
}

/** The one answer with this token and family, however often its bytes arrived. */
async function theAnswer(token: TokenKey, family: number): Promise<number> {
  const ofFamily = () =>
    world.c2.heard.filter(
      ({ message, token: its }) =>
        message.type === 'RESPONSE' && its === token && message.body.status >> 4 === family,
    );
  await expect.poll(() => ofFamily().length, { timeout: 10 * SECOND, interval: 5 }).toBeGreaterThan(0);
  const [first] = ofFamily();
  expect(new Set(ofFamily().map(({ bytes }) => toHex(bytes))).size).toBe(1);
  return first?.message.type === 'RESPONSE' ? first.message.body.status : -1;
}

test.each(['before', 'after'])(
  'killed %s any write of its state: everything happens, the action at most once, and no number is used twice',
  { timeout: 100 * SECOND },
  async (moment) => {
    const { c2 } = world;
    let deaths = 0;
    let restarted: Promise<void> = Promise.resolve();
    const onDeath = () => {
      deaths++;
      restarted = launch(onDeath);
    };
    const first = launch(onDeath);
    await world.meet();
    await c2.accept();
    await first;

    for (let n = 1; ; n++) {
      const before = deaths;
      child.stdin!.write(`arm ${n} ${moment}\n`);
      await once(child.stdout!, 'data');
      const action = await c2.say('ACTION', { actionId: 6 });
      const status = await theAnswer(action, 2);
      const update = await c2.say('INITIATE', { url: 'https://files.example/fw', digest: 'ab'.repeat(32) });
      expect(await theAnswer(update, 0)).toBe(0x00);
      await c2.say('ACTIVATE', {}, { token: update });
      expect(await theAnswer(update, 1)).toBe(0x10);

      // Interrupted while it ran: that is told as failed, and never run again (P 10.5).
      const runs = await performed('act', action);
      expect(
        status === 0x20 ? runs === 1 : status === 0x2f && runs <= 1,
        `status ${status}, ${runs} runs`,
      ).toBe(true);
      expect(await performed('install', update)).toBeGreaterThan(0);
      const numbers = new Map<bigint, string>();
      for (const { message, bytes } of c2.heard) {
        expect(numbers.get(message.sequence) ?? toHex(bytes)).toBe(toHex(bytes));
        numbers.set(message.sequence, toHex(bytes));
      }
      if (deaths === before) break; // all its writes were had
      await restarted;
    }
    expect(deaths).toBeGreaterThan(5);
  },
);
