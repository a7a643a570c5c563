import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { importVerifyKey, publicFingerprint, systemClock, systemRandom } from '@srup/node';
import {
  createVerifier,
  identityText,
  STATUS,
  type Caller,
  type SignedCheckpoint,
  type SuiteName,
  type VerifyOptions,
  type VerifyReport,
} from '@srup/protocol';
import { breakIn, rebuild } from '../../test/audit/forge.ts';
import {
  directoryOf,
  makeDevice,
  makeServer,
  tokenOf,
  until,
  type TestDevice,
  type TestServer,
} from '../../test/fleet/device.ts';
import { join, openWorld, type World } from '../../test/fleet/world.ts';
import { policyCaller, tokenCaller } from '../api/callers.ts';
import { trimDevice } from '../evidence/trim.ts';
import { sha256 } from '../chain/hash.ts';
import { append } from './begin.ts';
import { exportTrail, type ExportWish } from './export.ts';
import { openTrail, type Trail } from './trail.ts';

const NIGHT_SHIFT = tokenCaller({ id: '77ab', name: 'night shift' });
const DAY_SHIFT = tokenCaller({ id: '78cd', name: 'day shift' });
const DIGEST = 'ab'.repeat(32);
const UPDATE = { kind: 'update', url: 'https://f.example/a', digest: DIGEST, activateAtOnce: true } as const;

let server: TestServer;
let world: World;
let trail: Trail;
let device: TestDevice;
let other: TestDevice;
let witnessFile: string;

const publicPem = (suite: SuiteName): string =>
  createPublicKey(world.server.privatePems[suite]).export({ type: 'spki', format: 'pem' }).toString();

beforeAll(async () => {
  server = await makeServer();
});

beforeEach(async () => {
  device = await makeDevice(server);
  other = await makeDevice(server, 'ml-dsa-65');
  world = await openWorld({ directory: directoryOf(device, other), server });
  witnessFile = `${world.file}.witness`;
  await startTrail();
  await world.fleet.setJoinPolicy('*', 'accept', tokenCaller({ id: '3f2a91c0', name: 'mia' }));
  await join(world, device);
  await update(NIGHT_SHIFT);
  await trail.checkpoint();
  await join(world, other);
  for (let sent = 0; sent < 20; sent += 1) {
    await device.say(world.link, 'DATA', { dataId: 'level', data: Buffer.from(String(sent)) });
  }
  await trail.checkpoint();
});

afterEach(async () => {
  await trail.close();
  await world.close();
});

async function startTrail(clock = systemClock): Promise<void> {
  const suites = ['ed25519', 'rsa-sha256', 'ml-dsa-65'] as const;
  const options = {
    server: identityText(server.id),
    publicKeys: Object.fromEntries(suites.map((suite) => [suite, { signing: publicPem(suite) }])) as never,
    caFingerprint: 'ca'.repeat(32),
    version: '0.0.0',
    witnesses: [witnessFile],
  };
  trail = await openTrail(options, {
    store: world.store,
    signKey: server.keys.ed25519,
    keyEvents: { after: async () => [], drop: async () => undefined },
    findRestore: async () => undefined,
    ...{ clock, random: systemRandom },
    log: world.log,
  });
}

/** INITIATE to the receipt that the software runs. */
async function update(by: Caller): Promise<void> {
  await world.fleet.command([device.text], UPDATE, by);
  const token = tokenOf(await device.next(world.link, 'INITIATE'));
  await device.say(world.link, 'RESPONSE', { status: STATUS.UPDATE_SUCCESS }, token);
  await device.next(world.link, 'ACTIVATE');
  await device.say(world.link, 'RESPONSE', { status: STATUS.ACTIVATE_SUCCESS }, token);
  await device.next(world.link, 'ID_REQUEST');
}

async function linesOf(wish: ExportWish = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportTrail(world.store.read, identityText(server.id), wish, Date.now()))
    lines.push(line.trimEnd());
  return lines;
}

function verify(lines: readonly string[], options: Partial<VerifyOptions> = {}): VerifyReport {
  const fingerprint = publicFingerprint;
  const verifier = createVerifier({ sha256, importKey: importVerifyKey, fingerprint, ...options });
  for (const line of lines) verifier.line(line);
  return verifier.finish();
}

async function witness(): Promise<SignedCheckpoint[]> {
  await until(
    async () => (await trail.status()).witnesses[0]?.seq === (await trail.status()).checkpoint?.seq,
  );
  const text = await readFile(witnessFile, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { checkpoint: string; signature: string })
    .map(({ checkpoint, signature }) => ({ text: checkpoint, signature }));
}

/** Place of the n-th entry of a kind. */
async function placeOf(kind: string, type = ''): Promise<number> {
  const rows = await world.store.read.selectFrom('audit').selectAll().orderBy('seq').execute();
  const found = rows.find((row) => row.kind === kind && row.body.includes(type));
  if (found === undefined) throw new Error(`no entry ${kind} ${type}`);
  return found.seq;
}

const codes = ({ findings }: VerifyReport): string[] => [...new Set(findings.map(({ code }) => code))];

describe('a history', () => {
  it('proves what devices signed and who ordered it, and says what it does not prove', async () => {
    const report = verify(await linesOf());
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ ok: true, server: identityText(server.id), withheld: 0 });
    const mine = report.devices.find((one) => one.device === device.text);
    expect(mine?.facts.map(({ what, digest, by }) => [what, digest, by])).toEqual([
      ['joined', undefined, policyCaller('demo')],
      ['staged', DIGEST, NIGHT_SHIFT],
      ['ran', DIGEST, NIGHT_SHIFT],
    ]);
    expect(mine?.messagesFromDevice).toBe(1 + 2 + 1 + 20);
    expect(report.devices.find((one) => one.device === other.text)?.facts).toHaveLength(1);
    expect(report.signedThrough).toBe(report.entries);
    expect(report.notProven.join('\n')).toContain('can make a whole new history');
    expect(report.notProven.join('\n')).toContain('names its key itself');
  });

  it('proves more with the key and a witness from outside', async () => {
    const serverKey = publicFingerprint(publicPem('ed25519'));
    const report = verify(await linesOf(), { serverKey, witness: await witness() });
    expect(report).toMatchObject({ ok: true, witnessedThrough: report.entries });
    expect(report.notProven.join('\n')).not.toContain('can make a whole new history');
    expect(codes(verify(await linesOf(), { serverKey: 'ab'.repeat(32) }))).toEqual(['SERVER_KEY']);
  });

  it('of one device proves as much of that device, and hides the others', async () => {
    const lines = await linesOf({ device: other.text });
    const report = verify(lines, { witness: await witness() });
    expect(report).toMatchObject({ ok: true, findings: [], witnessedThrough: report.entries });
    expect(report.withheld).toBeGreaterThan(5);
    expect(report.devices.map((one) => one.device)).toEqual([other.text]);
    expect(lines.join('\n')).not.toContain(device.text);
    const recent = verify(await linesOf({ since: Date.now() + 1000 }));
    expect(recent).toMatchObject({ ok: true, findings: [] });
  });

  it('that is cut, in a line or after one, fails', async () => {
    const lines = await linesOf();
    for (const keep of [1, 2, lines.length - 1]) {
      expect(codes(verify(lines.slice(0, keep)))).toContain('INCOMPLETE');
    }
    expect(codes(verify([...lines.slice(0, 5), lines[5]!.slice(0, -3), ...lines.slice(6)]))).toContain(
      'FORM',
    );
    expect(verify([]).ok).toBe(false);
  });

  it('whose evidence was trimmed says so; evidence that is gone without a trim entry is missing', async () => {
    const database = breakIn(world.file);
    const { id } = database.prepare("select max(id) as id from messages where type = 'DATA'").get() as {
      id: number;
    };
    database
      .prepare("delete from messages where device = ? and type = 'DATA' and id <= ?")
      .run(device.text, id);
    expect(codes(verify(await linesOf()))).toEqual(['MISSING']);
    database.close();
    await append(world.store, { kind: 'trim', at: 1, device: device.text, body: { through: id } });
    const report = verify(await linesOf());
    expect(report.findings).toEqual([]);
    expect(report.devices.find((one) => one.device === device.text)?.trimmed).toBe(21);
    expect(report.notProven.join('\n')).toContain('What 21 messages said');
  });
});

describe('a history whose telemetry was trimmed', () => {
  it('still proves what the device runs; a receipt that is gone is missing', async () => {
    const keep = { rows: 5, bytes: 1 << 20, proofs: 10 };
    await world.store.commit((transaction) => trimDevice(transaction, device.text, keep, Date.now()));
    const report = verify(await linesOf());
    expect(report.findings).toEqual([]);
    const told = report.devices.find((one) => one.device === device.text);
    expect(told?.facts.map(({ what }) => what)).toEqual(['joined', 'staged', 'ran']);
    expect(told?.trimmed).toBeGreaterThan(10);
    const database = breakIn(world.file);
    const { running } = database
      .prepare('select running_token as running from devices where id = ?')
      .get(device.text) as { running: string };
    database.prepare("delete from messages where token = ? and type = 'ACTIVATE'").run(running);
    database.close();
    expect(codes(verify(await linesOf()))).toEqual(['MISSING']);
  });
});

describe('an attacker with the database', () => {
  type Database = ReturnType<typeof breakIn>;
  interface Attack {
    readonly name: string;
    readonly change: (database: Database, places: { order: number; receipt: number; last: number }) => void;
    readonly found: string;
  }
  const attacks: readonly Attack[] = [
    {
      name: 'an edited entry',
      change: (database, { order }) => {
        database.prepare("update audit set body = replace(body, 'night', 'early') where seq = ?").run(order);
      },
      found: 'LINK',
    },
    {
      name: 'a deleted entry',
      change: (database, { order }) => database.prepare('delete from audit where seq = ?').run(order),
      found: 'SEQUENCE',
    },
    {
      name: 'two entries in the other order',
      change: (database, { order }) => {
        const swap = database.prepare('update audit set seq = ? where seq = ?');
        swap.run(-1, order);
        swap.run(order, order + 1);
        swap.run(order + 1, -1);
      },
      found: 'LINK',
    },
    {
      name: "a receipt's bytes replaced",
      change: (database, { receipt }) => {
        const row = database.prepare('select body from audit where seq = ?').get(receipt);
        const { id } = JSON.parse(String(row?.['body'])) as { id: number };
        database.prepare('update messages set bytes = zeroblob(100) where id = ?').run(id);
      },
      found: 'EVIDENCE',
    },
    {
      name: "a receipt's bytes removed",
      change: (database, { receipt }) => {
        const row = database.prepare('select body from audit where seq = ?').get(receipt);
        const { id } = JSON.parse(String(row?.['body'])) as { id: number };
        database.prepare('delete from messages where id = ?').run(id);
      },
      found: 'MISSING',
    },
    {
      name: 'the tail cut off behind the last checkpoint',
      change: (database, { last }) => database.prepare('delete from audit where seq > ?').run(last - 3),
      found: 'WITNESS',
    },
  ];

  it.each(attacks)('leaves a trace: $name', async ({ change, found }) => {
    const kept = await witness();
    expect(verify(await linesOf(), { witness: kept }).ok).toBe(true); // the same history, before
    const order = await placeOf('order', 'night');
    const receipt = await placeOf('message', 'RESPONSE');
    const { entries: last } = await trail.status();
    const database = breakIn(world.file);
    change(database, { order, receipt, last });
    database.close();
    const report = verify(await linesOf(), { witness: kept });
    expect(codes(report)).toContain(found);
    const [first] = report.findings;
    if (found === 'LINK') expect(first?.seq).toBe(order);
  });

  it("and the server's key can rebuild everything: only a witness shows it, and without one the report says so", async () => {
    const kept = await witness();
    const order = await placeOf('order', 'night');
    const database = breakIn(world.file);
    database.prepare("update audit set body = replace(body, 'night', 'early') where seq = ?").run(order);
    rebuild(database, world.server.keys.ed25519);
    database.close();
    const serverKey = publicFingerprint(publicPem('ed25519'));
    const alone = verify(await linesOf(), { serverKey });
    expect(alone.findings).toEqual([]);
    expect(alone.notProven.join('\n')).toContain('can make a whole new history');
    const report = verify(await linesOf(), { serverKey, witness: kept });
    expect(codes(report)).toEqual(['WITNESS']);
    expect(report.findings[0]?.seq).toBeGreaterThanOrEqual(order);
  });

  it('can cut a tail off with its checkpoints: that is consistent without a witness, and found with one', async () => {
    const kept = await witness();
    const { entries } = await trail.status();
    const database = breakIn(world.file);
    database.prepare('delete from audit where seq > ?').run(entries - 3);
    rebuild(database, world.server.keys.ed25519);
    database.close();
    expect(verify(await linesOf()).ok).toBe(true);
    expect(codes(verify(await linesOf(), { witness: kept }))).toEqual(['WITNESS']);
  });

  it('is found at a start by the last checkpoint or the witness; the server raises an alarm and goes on', async () => {
    await witness();
    await trail.close();
    const database = breakIn(world.file);
    database.prepare("update audit set body = replace(body, 'night', 'early')").run();
    rebuild(database, world.server.keys.ed25519);
    database.close();
    await startTrail();
    const { alarms } = await trail.status();
    expect(alarms).toHaveLength(1);
    expect(alarms[0]).toContain(witnessFile);
    expect(world.log.lines.join('\n')).toContain('the audit trail is not what this server signed');
    await update(DAY_SHIFT);
    const report = verify(await linesOf());
    expect(report.alarms).toHaveLength(1);
    expect(report.ok).toBe(true);
  });

  it('is found within the hour by a server that runs, which tells it once', async () => {
    await witness();
    await trail.close();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      let later = 0;
      await startTrail({ ...systemClock, monotonic: () => later });
      await witness(); // what comes there later would be of the new past
      expect((await trail.status()).alarms).toEqual([]);
      const database = breakIn(world.file);
      database.prepare("update audit set body = replace(body, 'night', 'early')").run();
      rebuild(database, world.server.keys.ed25519);
      database.close();
      for (later of [3_500_000, 3_700_000, 7_400_000]) {
        vi.advanceTimersByTime(10_000);
        await trail.checkpoint(); // waits its turn: what the timer began is done
        expect((await trail.status()).alarms).toHaveLength(later < 3_600_000 ? 0 : 1);
      }
    } finally {
      vi.useRealTimers();
    }
    expect((await trail.status()).alarms).toEqual([expect.stringContaining(witnessFile)]);
    const rows = await world.store.read
      .selectFrom('audit')
      .select('seq')
      .where('kind', '=', 'alarm')
      .execute();
    expect(rows).toHaveLength(1);
  });
});

describe('forged evidence', () => {
  it.each([
    ['of a device that never said it', 'SIGNATURE'],
    ['repeated, as if it came a second time', 'COUNTER'],
    ['of something that nobody ordered', 'TOKEN'],
  ])('%s is found though the chain is whole', async (how, found) => {
    const database = breakIn(world.file);
    const receipt = await placeOf('message', 'RESPONSE');
    const rows = await world.store.read
      .selectFrom('audit')
      .selectAll()
      .where('kind', '=', 'message')
      .where('device', '=', device.text)
      .orderBy('seq')
      .execute();
    const ours = rows.filter(({ body }) => body.includes('"in"') && body.includes('RESPONSE'));
    const last = ours.at(-1)!;
    const { id } = JSON.parse(last.body) as { id: number };
    if (how.startsWith('of a device')) {
      const liar = await makeDevice(world.server);
      const { bytes } = await liar.write('RESPONSE', { status: STATUS.ACTIVATE_SUCCESS });
      // Its own signature under the victim's name.
      Buffer.from(device.text, 'hex').reverse().copy(bytes, 10);
      database.prepare('update messages set bytes = ? where id = ?').run(bytes, id);
      database.prepare('update audit set evidence = ? where seq = ?').run(sha256(bytes), last.seq);
    } else if (how.startsWith('repeated')) {
      const again = database
        .prepare(
          'insert into messages (at, device, direction, type, sequence, token, bytes, is_chained) select at, device, direction, type, sequence, token, bytes, 1 from messages where id = ? returning id',
        )
        .get(id) as { id: number };
      const { seq } = database.prepare('select max(seq) as seq from audit').get() as { seq: number };
      const body = last.body.replace(`"id":${id}`, `"id":${again.id}`);
      database
        .prepare("insert into audit values (?, ?, ?, ?, ?, ?, '')")
        .run(seq + 1, last.at, last.kind, last.device, last.evidence, body);
    } else {
      database.prepare("delete from audit where kind = 'message' and body like '%INITIATE%'").run();
    }
    expect(receipt).toBeGreaterThan(0);
    rebuild(database, world.server.keys.ed25519);
    database.close();
    const report = verify(await linesOf());
    expect(codes(report)).toContain(found);
    expect(codes(report)).not.toContain('LINK');
  });
});
