import { sql } from 'kysely';
import { expect } from 'vitest';
import { databaseKind } from '../../test/database.ts';
import { test } from '../../test/fixtures.ts';
import type { Write } from '../store/port.ts';
import type { NewMessage } from '../store/schema/messages.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { devicesWaiting } from './bundle.ts';
import { appendMessages } from './messages.ts';

test('messages of one device are stored, and stand in the trail, in the order in which they are given', async ({
  world,
  joined,
}) => {
  const { store } = world;
  const given = (sequence: number, hasEntry: boolean, device = joined.text) => {
    const bytes = Uint8Array.of(sequence);
    const said: NewMessage = {
      ...{ at: sequence, device, direction: 'out', type: 'ACTION', token: 't', bytes },
      sequence: String(sequence),
    };
    return { ...said, hasEntry };
  };
  const last = await store.read.selectFrom('audit').select('seq').orderBy('seq', 'desc').executeTakeFirst();
  // The budget of a device can end in the middle of what is written at one go, and begin anew later.
  await store.commit((write) => appendMessages(write, [given(101, false)]));
  await store.commit((write) =>
    appendMessages(write, [given(102, false), given(103, true), given(104, false)]),
  );
  await store.commit((write) => appendMessages(write, [given(105, true)]));

  const stored = await store.read
    .selectFrom('messages')
    .select(['id', 'sequence'])
    .where('token', '=', 't')
    .orderBy('id')
    .execute();
  expect(stored.map(({ sequence }) => Number(sequence))).toEqual([101, 102, 103, 104, 105]);
  const entries = await store.read
    .selectFrom('audit')
    .select(['kind', 'body'])
    .where('seq', '>', last?.seq ?? 0)
    .where('device', '=', joined.text)
    .orderBy('seq')
    .execute();
  const [first] = stored;
  const told = entries.map(({ kind, body }) => {
    const { id, to } = JSON.parse(body) as { id?: number; to?: number };
    return [kind, (id ?? to ?? 0) - (first?.id ?? 0) + 101];
  });
  // A bundle is named by the last message in it.
  expect(told).toEqual([
    ['messages', 102],
    ['message', 103],
    ['messages', 104],
    ['message', 105],
  ]);
});

/** Rows of messages that this transaction has read. Only PostgreSQL counts them. */
async function rowsRead(write: Write<CoreTables>): Promise<number> {
  if (databaseKind() !== 'postgres') return 0;
  const { rows } = await sql<{ read: string }>`select seq_tup_read + idx_tup_fetch as read
    from pg_stat_xact_user_tables where relname = 'messages'`.execute(write);
  return Number(rows[0]?.read);
}

test('what waits of the rest of the fleet is not read', async ({ world, joined }) => {
  const [device, quiet] = [joined.text, 'ffffffffffffffff'];
  const row = (index: number) => ({
    ...({
      at: 1,
      direction: 'in',
      type: 'DATA',
      sequence: String(index),
      token: 't',
      is_chained: 0,
    } as const),
    ...{ device: index === 0 ? device : `${index}`.padStart(16, 'e'), bytes: new Uint8Array(8) },
  });
  const rows = Array.from({ length: 1_000 }, (_, index) => row(index));
  await world.store.commit((write) => write.insertInto('messages').values(rows).execute());
  await world.store.commit(async (write) => {
    const before = await rowsRead(write);
    expect(await devicesWaiting(write, [quiet, device])).toEqual([device]);
    expect((await rowsRead(write)) - before).toBeLessThan(10);
  });
});
