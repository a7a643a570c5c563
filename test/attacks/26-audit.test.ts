/** Threat 26: an attacker who has the server's database, and in the end its key too, changes the history. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { generateKeys, importSignKey, Secret } from '@srup/node';
import type { SignKey, VerifyReport } from '@srup/protocol';
import { exportTrail } from '../../packages/server/src/audit/export.ts';
import { coreMigrations as coreMigrations } from '../../packages/server/src/store/schema/migrations.ts';
import type { CoreTables as CoreTables } from '../../packages/server/src/store/schema/tables.ts';
import { openSqlite } from '../../packages/server/src/store/sqlite/open.ts';
import { breakIn, cutAfter, edit, rebuild, type Broken } from '../../packages/server/test/audit/forge.ts';
import { behind } from '../../packages/server/test/database.ts';
import { startDevice, untilJoined } from '../support/device.ts';
import { test } from '../support/fixtures.ts';
import { runSrup, type Outcome } from '../support/processes.ts';
import { runsPrograms, writeProgram } from '../support/programs.ts';
import { startSite, type Ground, type Site } from '../support/server.ts';
import { takingAway } from './support/mutant.ts';
import type { MutationName } from './support/mutations.ts';

let ground: Ground;
let site: Site;
let serverId: string;
let database: string;
let witness: string;
let digest: string;
let device: string;
let before: VerifyReport;

const audit = (...args: string[]): Promise<Outcome> =>
  runSrup(['audit', ...args], { SRUP_CONFIG: join(ground.folder, 'ctl.json') });

/** Runs `srup verify` without these checks. */
async function verify(
  file: string,
  args: readonly string[],
  checks: readonly MutationName[] = [],
): Promise<VerifyReport> {
  const { stdout, stderr, code } = await runSrup(['verify', file, '--json', ...args], takingAway(...checks));
  expect([0, 1], stderr).toContain(code);
  const report = JSON.parse(stdout) as VerifyReport;
  expect(report.ok).toBe(code === 0);
  return report;
}

/** A real server, a real device that was updated, and a witness; then the server stands still. */
test.beforeAll(async ({ makeGround }) => {
  ground = await makeGround();
  witness = join(ground.folder, 'witness.jsonl');
  site = await startSite(ground, ['--witness', witness]);
  serverId = (await readFile(join(ground.folder, 'server', 'server', 'identity'), 'utf8')).trim();
  const software = runsPrograms(await writeProgram(ground, 'v1'));
  device = (await untilJoined(site, await startDevice(ground, site, 'pump', { software }))).id;
  const next = await writeProgram(ground, 'v2');
  digest = next.digest;
  expect(await site.ctl('update', device, next.path)).toMatchObject({ code: 0 });
  const file = join(ground.folder, 'history.jsonl');
  expect(await audit('export', '-o', file)).toMatchObject({ code: 0 });
  const { keyFingerprint } = JSON.parse((await audit('status', '--json')).stdout) as {
    keyFingerprint: string;
  };
  before = await verify(file, ['--server-key', keyFingerprint]);
  await site.process.stop();
  database = join(ground.folder, 'server', 'server', 'fleet.db');
});

/** The operator's order to update. */
async function orderIn(opened: Broken): Promise<number> {
  const orders = opened.selectFrom('audit').select('seq').where('kind', '=', 'order');
  return (await orders.where('body', 'like', '%"update"%').executeTakeFirstOrThrow()).seq;
}

async function editOrder(opened: Broken): Promise<void> {
  await edit(opened, await orderIn(opened), ['"update"', '"cancel"']);
}

async function serverKey(): Promise<SignKey> {
  const pem = await readFile(join(ground.folder, 'server', 'server', 'ed25519.pem'), 'utf8');
  return importSignKey(new Secret(/-----BEGIN[^]*?-----END[^\n]*/.exec(pem)?.[0] ?? ''));
}

async function strangersKey(): Promise<SignKey> {
  return importSignKey((await generateKeys('ed25519')).signing.privatePem);
}

let copies = 0;

/** Changes a copy of the database, and gives what the server would export from it. */
async function forge(change: (opened: Broken) => void | Promise<void>): Promise<string> {
  copies += 1;
  const copy = join(ground.folder, `forged-${copies}.db`);
  await copyFile(database, copy);
  const store = await openSqlite<CoreTables>(copy, coreMigrations);
  const opened = behind(store);
  await breakIn(opened);
  await change(opened);
  const lines: string[] = [];
  for await (const line of exportTrail(store.read, serverId, {}, Date.now())) lines.push(line);
  await store.close();
  await writeFile(`${copy}.jsonl`, lines.join(''));
  return `${copy}.jsonl`;
}

const codes = ({ findings }: VerifyReport): string[] => [...new Set(findings.map(({ code }) => code))];
async function remove(opened: Broken): Promise<void> {
  await opened
    .deleteFrom('audit')
    .where('seq', '=', await orderIn(opened))
    .execute();
}

async function cutTail(opened: Broken): Promise<void> {
  const entries = opened.selectFrom('audit').select('seq').orderBy('seq', 'desc');
  await cutAfter(opened, (await entries.executeTakeFirstOrThrow()).seq - 4);
}

test('the history that nobody touched holds, and tells what the device proved', async () => {
  expect(before).toMatchObject({ ok: true, findings: [] });
  const facts = before.devices.find((one) => one.device === device)?.facts;
  expect(facts?.map((fact) => [fact.what, fact.digest])).toEqual([
    ['joined', undefined],
    ['staged', digest],
    ['ran', digest],
  ]);
  const untouched = await verify(await forge(() => undefined), ['--checkpoint', witness]);
  expect(untouched).toMatchObject({ ok: true, witnessedThrough: untouched.entries });
});

test('an edited entry is found, and named', async () => {
  let order = 0;
  const edited = await forge(async (opened) => {
    order = await orderIn(opened);
    await editOrder(opened);
  });
  const report = await verify(edited, []);
  expect(codes(report)).toEqual(['LINK']);
  expect(report.findings[0]?.seq).toBe(order);
});

test('without the hashes of entries, an edited one passes', async () => {
  expect(await verify(await forge(editOrder), [], ['auditLink'])).toMatchObject({ ok: true });
});

test('a deleted entry is found', async () => {
  expect(codes(await verify(await forge(remove), []))).toContain('SEQUENCE');
});

test('without places and hashes, a deleted entry is not missed', async () => {
  expect(await verify(await forge(remove), [], ['auditPlace', 'auditLink'])).toMatchObject({ ok: true });
});

test('a tail that was cut off is found by what the witness has', async () => {
  expect(codes(await verify(await forge(cutTail), ['--checkpoint', witness]))).toContain('WITNESS');
});

test('without a witness, a tail can be cut off, and the verification says so', async () => {
  const report = await verify(await forge(cutTail), []);
  expect(report.ok).toBe(true);
  expect(report.notProven.join('\n')).toContain('cut off its end');
});

test('everything made anew without the key of the server is found', async () => {
  const key = await strangersKey();
  const file = await forge(async (opened) => {
    await editOrder(opened);
    await rebuild(opened, key);
  });
  expect(codes(await verify(file, []))).toEqual(['CHECKPOINT']);
});

test('without the check of signatures under checkpoints, everything can be made anew with any key', async () => {
  const key = await strangersKey();
  const file = await forge(async (opened) => {
    await editOrder(opened);
    await rebuild(opened, key);
  });
  expect(await verify(file, [], ['auditCheckpoint'])).toMatchObject({ ok: true });
});

test('everything made anew with the key of the server is found by what the witness has', async () => {
  const key = await serverKey();
  const file = await forge(async (opened) => {
    await editOrder(opened);
    await rebuild(opened, key);
  });
  expect(codes(await verify(file, ['--checkpoint', witness]))).toEqual(['WITNESS']);
});

test('without the witness, an attacker with the key makes a valid history, and the verification says so', async () => {
  const key = await serverKey();
  const file = await forge(async (opened) => {
    await editOrder(opened);
    await rebuild(opened, key);
  });
  const alone = await verify(file, []);
  expect(alone.ok).toBe(true);
  expect(alone.notProven.join('\n')).toContain('can make a whole new history');
  expect(await verify(file, ['--checkpoint', witness], ['auditWitness'])).toMatchObject({ ok: true });
});

test('the server itself finds it at its next start, says so, and goes on', async () => {
  const key = await serverKey();
  const store = await openSqlite<CoreTables>(database, coreMigrations);
  const opened = behind(store);
  await breakIn(opened);
  await editOrder(opened);
  await rebuild(opened, key);
  await store.close();
  site = await startSite(ground, site.sameAgain);
  const status = await audit('status');
  expect(status.code).toBe(1);
  expect(status.stdout).toContain(witness);
  expect(site.process.stderr()).toContain('the audit trail is not what this server signed');
  expect((await site.ctl('identify', device)).code).toBe(0);
});
