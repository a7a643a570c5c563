import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { describe, expect, vi } from 'vitest';
import { importVerifyKey, publicFingerprint, systemClock, systemRandom } from '@srup/node';
import { until } from '@srup/node/testing';
import {
  createVerifier,
  identityText,
  STATUS,
  type Caller,
  type Clock,
  type SignedCheckpoint,
  type SuiteName,
  type VerifyOptions,
  type VerifyReport,
} from '@srup/protocol';
import { breakIn, cutAfter, edit, rebuild, type Broken } from '../../test/audit/forge.ts';
import { behind } from '../../test/database.ts';
import { test as base } from '../../test/fixtures.ts';
import { makeDevice, type TestDevice } from '../../test/fleet/device.ts';
import { acceptAll, join, report, update, type World } from '../../test/fleet/world.ts';
import { policyCaller, tokenCaller } from '../api/callers.ts';
import { trimDevice } from '../evidence/trim.ts';
import { sha256 } from '../chain/hash.ts';
import { append } from './begin.ts';
import { exportTrail, type ExportWish } from './export.ts';
import { openTrail, type Trail } from './trail.ts';

const NIGHT_SHIFT = tokenCaller({ id: '77ab', name: 'night shift' });
const DAY_SHIFT = tokenCaller({ id: '78cd', name: 'day shift' });
const DIGEST = 'ab'.repeat(32);

/** A world with a history: two devices joined, one of them was updated, and both said things. */
interface History {
  readonly world: World;
  readonly device: TestDevice;
  readonly other: TestDevice;
  readonly witnessFile: string;
  trail: Trail;
  /** Opens the trail again, with another clock if it is given. */
  startTrail(clock?: Clock): Promise<void>;
}

const it = base
  .extend('other', ({ server }) => makeDevice(server, 'ml-dsa-65'))
  .extend('history', async ({ world, device, other }, { onCleanup }): Promise<History> => {
    const witnessFile = joinPath(world.folder, 'witness');
    const startTrail = async (clock?: Clock) => {
      history.trail = await openTrailOf(world, witnessFile, clock);
    };
    const trail = await openTrailOf(world, witnessFile);
    const history: History = { world, device, other, witnessFile, trail, startTrail };
    onCleanup(() => history.trail.close());
    await acceptAll(world, tokenCaller({ id: '3f2a91c0', name: 'mia' }));
    await join(world, device);
    await orderUpdate(history, NIGHT_SHIFT);
    await trail.checkpoint();
    await join(world, other);
    for (let sent = 0; sent < 20; sent += 1) await report(world, device, sent, 'level');
    await trail.checkpoint();
    return history;
  });

const publicPem = ({ server }: World, suite: SuiteName): string =>
  createPublicKey(server.privatePems[suite]).export({ type: 'spki', format: 'pem' }).toString();

function openTrailOf(world: World, witnessFile: string, clock: Clock = systemClock): Promise<Trail> {
  const { server, store, log } = world;
  const suites = ['ed25519', 'rsa-sha256', 'ml-dsa-65'] as const;
  const options = {
    server: identityText(server.id),
    publicKeys: Object.fromEntries(
      suites.map((suite) => [suite, { signing: publicPem(world, suite) }]),
    ) as never,
    caFingerprint: 'ca'.repeat(32),
    version: '0.0.0',
    witnesses: [witnessFile],
  };
  return openTrail(options, {
    ...{ store, log, clock, random: systemRandom },
    signKey: server.keys.ed25519,
    keyEvents: { after: async () => [], drop: async () => undefined },
    findRestore: async () => undefined,
  });
}

/** INITIATE to the receipt that the software runs. */
async function orderUpdate({ world, device }: History, by: Caller): Promise<void> {
  await update(world, device, { digest: DIGEST, by });
  await device.next(world.link, 'ID_REQUEST');
}

async function linesOf({ world }: History, wish: ExportWish = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportTrail(world.store.read, identityText(world.server.id), wish, Date.now()))
    lines.push(line.trimEnd());
  return lines;
}

function verify(lines: readonly string[], options: Partial<VerifyOptions> = {}): VerifyReport {
  const fingerprint = publicFingerprint;
  const verifier = createVerifier({ sha256, importKey: importVerifyKey, fingerprint, ...options });
  for (const line of lines) verifier.line(line);
  return verifier.finish();
}

async function witness({ trail, witnessFile }: History): Promise<SignedCheckpoint[]> {
  await until('the witness to have everything', async () => {
    const { witnesses, checkpoint } = await trail.status();
    return witnesses[0]?.seq === checkpoint?.seq;
  });
  const text = await readFile(witnessFile, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { checkpoint: string; signature: string })
    .map(({ checkpoint, signature }) => ({ text: checkpoint, signature }));
}

/** Place of the n-th entry of a kind. */
async function placeOf({ world }: History, kind: string, type = ''): Promise<number> {
  const rows = await world.store.read.selectFrom('audit').selectAll().orderBy('seq').execute();
  const found = rows.find((row) => row.kind === kind && row.body.includes(type));
  if (found === undefined) throw new Error(`no entry ${kind} ${type}`);
  return found.seq;
}

/** The id of the message that an entry is about. */
async function messageOf(database: Broken, seq: number): Promise<number> {
  const { body } = await database
    .selectFrom('audit')
    .select('body')
    .where('seq', '=', seq)
    .executeTakeFirstOrThrow();
  return (JSON.parse(body) as { id: number }).id;
}

const codes = ({ findings }: VerifyReport): string[] => [...new Set(findings.map(({ code }) => code))];

describe('a history', () => {
  it('proves what devices signed and who ordered it, and says what it does not prove', async ({
    world,
    device,
    other,
    history,
  }) => {
    const report = verify(await linesOf(history));
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ ok: true, server: identityText(world.server.id), withheld: 0 });
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

  it('proves more with the key and a witness from outside', async ({ world, history }) => {
    const serverKey = publicFingerprint(publicPem(world, 'ed25519'));
    const report = verify(await linesOf(history), { serverKey, witness: await witness(history) });
    expect(report).toMatchObject({ ok: true, witnessedThrough: report.entries });
    expect(report.notProven.join('\n')).not.toContain('can make a whole new history');
    expect(codes(verify(await linesOf(history), { serverKey: 'ab'.repeat(32) }))).toEqual(['SERVER_KEY']);
  });

  it('of one device proves as much of that device, and hides the others', async ({
    device,
    other,
    history,
  }) => {
    const lines = await linesOf(history, { device: other.text });
    const report = verify(lines, { witness: await witness(history) });
    expect(report).toMatchObject({ ok: true, findings: [], witnessedThrough: report.entries });
    expect(report.withheld).toBeGreaterThan(5);
    expect(report.devices.map((one) => one.device)).toEqual([other.text]);
    expect(lines.join('\n')).not.toContain(device.text);
    const recent = verify(await linesOf(history, { since: Date.now() + 1000 }));
    expect(recent).toMatchObject({ ok: true, findings: [] });
  });

  it('that is cut, in a line or after one, fails', async ({ history }) => {
    const lines = await linesOf(history);
    for (const keep of [1, 2, lines.length - 1]) {
      expect(codes(verify(lines.slice(0, keep)))).toContain('INCOMPLETE');
    }
    expect(codes(verify([...lines.slice(0, 5), lines[5]!.slice(0, -3), ...lines.slice(6)]))).toContain(
      'FORM',
    );
    expect(verify([]).ok).toBe(false);
  });

  it('whose evidence was trimmed says so; evidence that is gone without a trim entry is missing', async ({
    world,
    device,
    history,
  }) => {
    const database = behind(world.store);
    await breakIn(database);
    const reports = database.selectFrom('messages').select('id').where('type', '=', 'DATA');
    const { id } = await reports.orderBy('id', 'desc').executeTakeFirstOrThrow();
    await database
      .deleteFrom('messages')
      .where('device', '=', device.text)
      .where('type', '=', 'DATA')
      .where('id', '<=', id)
      .execute();
    expect(codes(verify(await linesOf(history)))).toEqual(['MISSING']);
    await append(world.store, { kind: 'trim', at: 1, device: device.text, body: { through: id } });
    const report = verify(await linesOf(history));
    expect(report.findings).toEqual([]);
    expect(report.devices.find((one) => one.device === device.text)?.trimmed).toBe(21);
    expect(report.notProven.join('\n')).toContain('What 21 messages said');
  });
});

describe('a history whose telemetry was trimmed', () => {
  it('still proves what the device runs; a receipt that is gone is missing', async ({
    world,
    device,
    history,
  }) => {
    const keep = { rows: 5, bytes: 1 << 20, proofs: 10 };
    await world.store.commit((transaction) => trimDevice(transaction, device.text, keep, Date.now()));
    const report = verify(await linesOf(history));
    expect(report.findings).toEqual([]);
    const told = report.devices.find((one) => one.device === device.text);
    expect(told?.facts.map(({ what }) => what)).toEqual(['joined', 'staged', 'ran']);
    expect(told?.trimmed).toBeGreaterThan(10);
    const database = behind(world.store);
    await breakIn(database);
    const running = database.selectFrom('devices').select('running_token').where('id', '=', device.text);
    await database
      .deleteFrom('messages')
      .where('token', '=', running)
      .where('type', '=', 'ACTIVATE')
      .execute();
    expect(codes(verify(await linesOf(history)))).toEqual(['MISSING']);
  });
});

describe('an attacker with the database', () => {
  interface Attack {
    readonly name: string;
    readonly change: (
      database: Broken,
      places: { order: number; receipt: number; last: number },
    ) => Promise<unknown>;
    readonly found: string;
  }
  const attacks: readonly Attack[] = [
    {
      name: 'an edited entry',
      change: (database, { order }) => edit(database, order),
      found: 'LINK',
    },
    {
      name: 'a deleted entry',
      change: (database, { order }) => database.deleteFrom('audit').where('seq', '=', order).execute(),
      found: 'SEQUENCE',
    },
    {
      name: 'two entries in the other order',
      change: async (database, { order }) => {
        const moves = [
          [order, -1],
          [order + 1, order],
          [-1, order + 1],
        ] as const;
        for (const [from, to] of moves)
          await database.updateTable('audit').set({ seq: to }).where('seq', '=', from).execute();
      },
      found: 'LINK',
    },
    {
      name: "a receipt's bytes replaced",
      change: async (database, { receipt }) => {
        const id = await messageOf(database, receipt);
        await database
          .updateTable('messages')
          .set({ bytes: new Uint8Array(100) })
          .where('id', '=', id)
          .execute();
      },
      found: 'EVIDENCE',
    },
    {
      name: "a receipt's bytes removed",
      change: async (database, { receipt }) => {
        const id = await messageOf(database, receipt);
        await database.deleteFrom('messages').where('id', '=', id).execute();
      },
      found: 'MISSING',
    },
    {
      name: 'the tail cut off behind the last checkpoint',
      change: (database, { last }) => cutAfter(database, last - 3),
      found: 'WITNESS',
    },
  ];

  it.for(attacks)('leaves a trace: $name', async ({ change, found }, { world, history }) => {
    const kept = await witness(history);
    expect(verify(await linesOf(history), { witness: kept }).ok).toBe(true); // the same history, before
    const order = await placeOf(history, 'order', 'night');
    const receipt = await placeOf(history, 'message', 'RESPONSE');
    const { entries: last } = await history.trail.status();
    const database = behind(world.store);
    await breakIn(database);
    await change(database, { order, receipt, last });
    const report = verify(await linesOf(history), { witness: kept });
    expect(codes(report)).toContain(found);
    const [first] = report.findings;
    if (found === 'LINK') expect(first?.seq).toBe(order);
  });

  it("and the server's key can rebuild everything: only a witness shows it, and without one the report says so", async ({
    world,
    history,
  }) => {
    const kept = await witness(history);
    const order = await placeOf(history, 'order', 'night');
    const database = behind(world.store);
    await breakIn(database);
    await edit(database, order);
    await rebuild(database, world.server.keys.ed25519);
    const serverKey = publicFingerprint(publicPem(world, 'ed25519'));
    const alone = verify(await linesOf(history), { serverKey });
    expect(alone.findings).toEqual([]);
    expect(alone.notProven.join('\n')).toContain('can make a whole new history');
    const report = verify(await linesOf(history), { serverKey, witness: kept });
    expect(codes(report)).toEqual(['WITNESS']);
    expect(report.findings[0]?.seq).toBeGreaterThanOrEqual(order);
  });

  it('can cut a tail off with its checkpoints: that is consistent without a witness, and found with one', async ({
    world,
    history,
  }) => {
    const kept = await witness(history);
    const { entries } = await history.trail.status();
    const database = behind(world.store);
    await breakIn(database);
    await cutAfter(database, entries - 3);
    await rebuild(database, world.server.keys.ed25519);
    expect(verify(await linesOf(history)).ok).toBe(true);
    expect(codes(verify(await linesOf(history), { witness: kept }))).toEqual(['WITNESS']);
  });

  it('is found at a start by the last checkpoint or the witness; the server raises an alarm and goes on', async ({
    world,
    history,
  }) => {
    await witness(history);
    await history.trail.close();
    const database = behind(world.store);
    await breakIn(database);
    await edit(database);
    await rebuild(database, world.server.keys.ed25519);
    await history.startTrail();
    const { alarms } = await history.trail.status();
    expect(alarms).toHaveLength(1);
    expect(alarms[0]).toContain(history.witnessFile);
    expect(world.log.lines.join('\n')).toContain('the audit trail is not what this server signed');
    await orderUpdate(history, DAY_SHIFT);
    const report = verify(await linesOf(history));
    expect(report.alarms).toHaveLength(1);
    expect(report.ok).toBe(true);
  });

  it('is found within the hour by a server that runs, which tells it once', async ({ world, history }) => {
    await witness(history);
    await history.trail.close();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      let later = 0;
      await history.startTrail({ ...systemClock, monotonic: () => later });
      await witness(history); // what comes there later would be of the new past
      expect((await history.trail.status()).alarms).toEqual([]);
      const database = behind(world.store);
      await breakIn(database);
      await edit(database);
      await rebuild(database, world.server.keys.ed25519);
      for (later of [3_500_000, 3_700_000, 7_400_000]) {
        vi.advanceTimersByTime(10_000);
        await history.trail.checkpoint(); // waits its turn: what the timer began is done
        expect((await history.trail.status()).alarms).toHaveLength(later < 3_600_000 ? 0 : 1);
      }
    } finally {
      vi.useRealTimers();
    }
    expect((await history.trail.status()).alarms).toEqual([expect.stringContaining(history.witnessFile)]);
    const rows = await world.store.read
      .selectFrom('audit')
      .select('seq')
      .where('kind', '=', 'alarm')
      .execute();
    expect(rows).toHaveLength(1);
  });
});

describe('forged evidence', () => {
  it.for([
    ['of a device that never said it', 'SIGNATURE'],
    ['repeated, as if it came a second time', 'COUNTER'],
    ['of something that nobody ordered', 'TOKEN'],
  ] as const)('%s is found though the chain is whole', async ([how, found], { world, device, history }) => {
    const database = behind(world.store);
    await breakIn(database);
    const receipt = await placeOf(history, 'message', 'RESPONSE');
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
      await database.updateTable('messages').set({ bytes }).where('id', '=', id).execute();
      const evidence = sha256(bytes);
      await database.updateTable('audit').set({ evidence }).where('seq', '=', last.seq).execute();
    } else if (how.startsWith('repeated')) {
      const message = database.selectFrom('messages').selectAll().where('id', '=', id);
      const { id: _, ...row } = await message.executeTakeFirstOrThrow();
      const again = database.insertInto('messages').values(row).returning('id');
      const body = last.body.replace(`"id":${id}`, `"id":${(await again.executeTakeFirstOrThrow()).id}`);
      const { entries } = await history.trail.status();
      await database
        .insertInto('audit')
        .values({ ...last, seq: entries + 1, body, hash: '' })
        .execute();
    } else {
      const initiations = database.deleteFrom('audit').where('kind', '=', 'message');
      await initiations.where('body', 'like', '%INITIATE%').execute();
    }
    expect(receipt).toBeGreaterThan(0);
    await rebuild(database, world.server.keys.ed25519);
    const report = verify(await linesOf(history));
    expect(codes(report)).toContain(found);
    expect(codes(report)).not.toContain('LINK');
  });
});
