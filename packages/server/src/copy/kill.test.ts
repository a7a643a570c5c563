import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { sql } from 'kysely';
import { Secret, systemClock, systemRandom } from '@srup/node';
import { isMissing } from '../../../../scripts/system-programs.ts';
import { postgresFor } from '../../../../test/support/postgres-for.ts';
import { dump, fill, schemasAt, within, type Places } from '../../test/copied.ts';
import { test } from '../../test/fixtures.ts';
import { filesIn } from '../store/databases.ts';
import { StoreError } from '../store/fault.ts';
import { moveServer, type DatabaseWish } from './move.ts';
import { holdingAt } from './target.ts';

/** Moves that are killed each way. */
const KILLS = Number(process.env['SRUP_KILLS'] ?? 2);
const MORE_ROWS = 3_000;

const PROGRAM = `
  const { moveServer } = await import(${JSON.stringify(new URL('move.ts', import.meta.url))});
  const { Secret, systemClock, systemRandom } = await import('@srup/node');
  const { folder, to, password } = JSON.parse(process.argv[1]);
  const secret = new Secret(password);
  console.log('begun');
  await moveServer(
    { folder, to, password: secret, passwordNow: secret, tell: () => undefined },
    { clock: systemClock, random: systemRandom },
  );`;

interface Wish {
  readonly folder: string;
  readonly to: DatabaseWish;
  readonly password: string;
}

/** Runs a move in a process of its own, and kills it after this many milliseconds. Gives how long it ran. */
async function moveKilled(wish: Wish, afterMs?: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM, JSON.stringify(wish)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
  });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  const begun = performance.now();
  if (afterMs !== undefined) {
    await Promise.race([pause(afterMs), ended]);
    child.kill('SIGKILL');
  }
  const [code] = (await ended) as [number | null];
  if (afterMs === undefined) expect(code).toBe(0);
  return performance.now() - begun;
}

function moveAgain({ folder, to, password }: Wish): Promise<unknown> {
  const secret = new Secret(password);
  return moveServer(
    { folder, to, password: secret, passwordNow: secret, tell: () => undefined },
    { clock: systemClock, random: systemRandom },
  ).catch((fault: unknown) => {
    // It was killed after its last step.
    if (!(fault instanceof StoreError) || !fault.message.includes('is there already')) throw fault;
  });
}

/** Tells whether a server would start there and find something. */
async function admits(places: Places): Promise<boolean> {
  if ((await holdingAt(places.core)).isEmpty || (await holdingAt(places.keys)).isEmpty) return false;
  return within(places, async () => true).catch((fault: unknown) => {
    if (fault instanceof StoreError && /not finished|out of date/.test(fault.message)) return false;
    throw fault;
  });
}

describe.skipIf(isMissing('postgres'))('a move that is killed', { timeout: 300_000 }, () => {
  test('at any instant leaves one place at most where a server starts, and is done again', async ({
    folder,
    onTestFinished,
  }) => {
    const url = new URL(await postgresFor(onTestFinished));
    const places = schemasAt(url.href);
    const { password } = url;
    url.password = '';
    for (const part of ['server', 'key-service']) await mkdir(join(folder, part), { recursive: true });
    await writeFile(join(folder, 'server', 'identity'), 'b9d077e223834cf6\n');
    const files = filesIn(folder);
    await within(files, async (both) => {
      await fill(both);
      await both.core.commit((write) =>
        sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${MORE_ROWS})
          insert into settings (name, value) select 'k' || i, i from n`.execute(write),
      );
    });
    const before = [dump(files.core), dump(files.keys)];
    const there: Wish = { folder, to: { url: url.href }, password };
    const back: Wish = { folder, to: 'sqlite', password };
    const [thereMs, backMs] = [await moveKilled(there), await moveKilled(back)];
    for (let kill = 1; kill <= KILLS; kill++) {
      for (const [wish, ms] of [
        [there, thereMs],
        [back, backMs],
      ] as const) {
        await moveKilled(wish, (ms * (kill - Math.random())) / KILLS);
        const admitted = [await admits(files), await admits(places)].filter((one) => one);
        expect(admitted.length).toBeLessThanOrEqual(1);
        await moveAgain(wish);
        expect([await admits(files), await admits(places)]).toEqual(
          wish === there ? [false, true] : [true, false],
        );
      }
      expect([dump(files.core), dump(files.keys)]).toEqual(before);
    }
  });
});
