import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { generateKeys, newIdentity, systemRandom } from '@srup/node';
import { seededRandom } from '@srup/protocol/testing';
import { tokenOfKey, type ServerExchange } from '@srup/protocol';
import { openStore, placeFor } from '../../test/database.ts';
import { START, test } from '../../test/fixtures.ts';
import { sha256 } from '../chain/hash.ts';
import { policyCaller } from '../api/callers.ts';
import { decideEntries } from '../evidence/budget.ts';
import { newRecord, type DeviceRecord } from '../peers/records.ts';
import type { Store } from '../store/port.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { beginChange, setRow, type Change } from './change.ts';
import { deviceOwner } from './owner.ts';
import { rowsOf, type ChangeRows } from './rows.ts';
import { writeChanges } from './write.ts';

const DEVICES = 5;
const ROUNDS = 12;
/** Every table that a change is written to. */
const TABLES = [
  ...([
    'devices',
    'peers',
    'exchanges',
    'messages',
    'refusals',
    'refusal_counts',
    'software',
    'data',
  ] as const),
  ...(['join_decisions', 'errands', 'outbox', 'audit'] as const),
];

const tokenAt = (n: number) => n.toString(16).padStart(32, '0');

/** Fills a change with some of everything, by what `draw` says. */
function fill(change: Change, n: number, draw: () => number): void {
  const { at } = change;
  const device = change.record.row.id;
  const token = tokenAt(n);
  const bytes = Uint8Array.of(n & 0xff, n >> 8, 7);
  const message = { at, device, sequence: String(n), token, bytes } as const;
  const sent = BigInt(n + 1);
  change.record = { ...change.record, sent, provenAt: at, window: { highest: BigInt(n), seen: 1n } };
  if (draw() < 0.5) change.accepted.push({ ...message, direction: 'in', type: 'DATA' });
  if (draw() < 0.5) change.accepted.push({ ...message, direction: 'in', type: 'RESPONSE' });
  const exchange = {
    kind: 'action',
    phase: draw() < 0.5 ? 'sent' : 'done',
    token: tokenAt(n & ~3),
    actionId: 4,
  };
  const times = { openedAt: at, attempts: 1, ...(draw() < 0.5 && { wakeAt: at + 60_000 }) };
  if (draw() < 0.7)
    change.exchanges.set(exchange.token, { ...exchange, ...times, confirms: true } as ServerExchange);
  if (draw() < 0.3) change.orderId = `order-${n}`;
  if (draw() < 0.5) change.data.push({ dataId: 'level', bytes });
  if (draw() < 0.2) change.decisions.push({ token, verdict: 'accept', by: policyCaller('pump') });
  if (draw() < 0.4) {
    const what = (['active', 'failed', 'restored', 'named'] as const)[n % 4] ?? 'named';
    change.software.push({ what, digest: String(n % 3), token });
    setRow(change, { running_digest: String(n % 3), running_at: at, running_token: token });
  }
  if (draw() < 0.3)
    change.errands.push({ owner: deviceOwner(device), kind: 'k', body: { n }, after: at + n });
  if (draw() < 0.3) change.refusal = { at, code: 'FLOW_TOKEN', topic: `SRUP/${device}` };
  change.isRefusalNews = draw() < 0.5;
  change.isGreeting = draw() < 0.2;
  if (draw() < 0.5) {
    const draft = { type: 'ACTION', token: tokenOfKey(token), body: { actionId: 4 } } as const;
    change.outgoing = [{ sequence: sent, draft }];
  }
}

/** Rounds of changes, one of each device, as lanes make them. The first of a device adds it. */
async function makeRounds(seed: number): Promise<readonly (readonly ChangeRows[])[]> {
  const random = seededRandom(seed);
  const { signing } = await generateKeys('ed25519');
  const records = Array.from({ length: DEVICES }, (): DeviceRecord => {
    const enrolment = {
      id: newIdentity(systemRandom),
      type: 'pump',
      suite: 'ed25519',
      publicPem: signing.publicPem,
    };
    return newRecord({ ...enrolment, suite: 'ed25519', state: 'certified' }, START, systemRandom);
  });
  return Array.from({ length: ROUNDS }, (_, round) =>
    records.map((record, index) => {
      const n = round * DEVICES + index + 1;
      const change = beginChange(record, START + round, round > 0);
      fill(change, n, () => random.unit());
      records[index] = change.record;
      const keep = { rows: 4, bytes: 1_000, proofs: 2 };
      return rowsOf(change, {
        accepted: decideEntries(change.accepted, ({ type }) => type !== 'DATA'),
        sent: [],
        trim: random.unit() < 0.1 ? keep : undefined,
      });
    }),
  );
}

/** What is stored, by device: ids of rows depend on who was first. */
async function contentOf({ read }: Store<CoreTables>): Promise<Record<string, unknown>> {
  const content: Record<string, unknown> = {};
  for (const table of TABLES) {
    const rows: readonly Readonly<Record<string, unknown>>[] = await read
      .selectFrom(table)
      .selectAll()
      .execute();
    const place = ORDER.find((column) => rows[0] !== undefined && column in rows[0]) ?? 'device';
    const sorted = rows.toSorted((one, two) => Number(one[place]) - Number(two[place]));
    content[table] = Object.groupBy(
      sorted.map((row) => (table === 'devices' ? row : omit(row, table === 'audit' ? HASHED : ['id']))),
      ({ device, owner, code, id }) => String(device ?? owner ?? code ?? id),
    );
  }
  const events = await read.selectFrom('events').select('event').orderBy('seq').execute();
  content['events'] = events.map(({ event }) => JSON.parse(event) as unknown);
  return content;
}

const ORDER = ['seq', 'id'];
/** What depends on the entries before. */
const HASHED = ['seq', 'hash', 'body'];

function omit(row: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !names.includes(name)));
}

/** The entry of a message names its row: the ids that the database gave came to the right messages. */
async function expectNamed({ read }: Store<CoreTables>): Promise<void> {
  const messages = new Map(
    (await read.selectFrom('messages').selectAll().execute()).map((row) => [row.id, row]),
  );
  const entries = await read.selectFrom('audit').selectAll().where('kind', '=', 'message').execute();
  let found = 0;
  for (const { body, device, evidence } of entries) {
    const { id, sequence } = JSON.parse(body) as { id: number; sequence: string };
    const row = messages.get(id);
    if (row === undefined) continue; // trimmed
    found += 1;
    expect([row.device, row.sequence, sha256(row.bytes)]).toEqual([device, sequence, evidence]);
  }
  expect(found).toBeGreaterThan(DEVICES);
}

test.for([1, 2, 3, 4, 5, 6])(
  'what is written together is as if it had been written one by one: seed %i',
  async (seed, { store: together, folder, onTestFinished }) => {
    const place = await placeFor(await mkdtemp(join(folder, 'alone-')), onTestFinished);
    const alone = await openStore<CoreTables>(place, coreMigrations);
    const rounds = await makeRounds(seed);
    for (const round of rounds) {
      await together.commit((write) => writeChanges(write, round));
      for (const rows of round) await alone.commit((write) => writeChanges(write, [rows]));
    }
    const [one, other] = [await contentOf(together), await contentOf(alone)];
    await alone.close();
    for (const table of TABLES) expect(Object.keys(one[table] as object), table).not.toEqual([]);
    expect(one).toEqual(other);
    await expectNamed(together);
  },
);
