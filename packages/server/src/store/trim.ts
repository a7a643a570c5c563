import { sql, type Transaction } from 'kysely';
import { appendAudit } from '../audit/append.ts';
import { chainWaiting } from './evidence.ts';
import type { FleetTables } from './tables.ts';

/** What is kept of one device: a joined but hostile one must not fill the disk. */
export interface Keep {
  /** Rows each of messages, data and finished exchanges (P 6.4 asks for 256 of these). */
  readonly rows: number;
  /** Bytes each of messages and data. */
  readonly bytes: number;
}

export const KEPT_PER_DEVICE: Keep = { rows: 20_000, bytes: 64 * 2 ** 20 };

/** Drops the oldest that is over the limits. What shows who let a device in is kept for its life (P 9.8). */
export async function trimDevice(
  transaction: Transaction<FleetTables>,
  device: string,
  keep: Keep,
  at: number,
): Promise<void> {
  const joinTokens = transaction.selectFrom('join_decisions').select('token').where('device', '=', device);
  const lastMessage = await lastOver(transaction, 'messages', device, keep);
  if (lastMessage !== undefined) {
    // Its hash is in the trail before its bytes go, and the trail says that they may go.
    await chainWaiting(transaction, device, at);
    const { numDeletedRows } = await transaction
      .deleteFrom('messages')
      .where('device', '=', device)
      .where('id', '<=', lastMessage)
      .where('token', 'not in', joinTokens)
      .executeTakeFirst();
    if (numDeletedRows > 0n) {
      await appendAudit(transaction, { kind: 'trim', at, device, body: { through: lastMessage } });
    }
  }
  const lastData = await lastOver(transaction, 'data', device, keep);
  if (lastData !== undefined) {
    await transaction.deleteFrom('data').where('device', '=', device).where('id', '<=', lastData).execute();
  }
  const lastExchange = await transaction
    .selectFrom('exchanges')
    .select('id')
    .where('device', '=', device)
    .orderBy('id', 'desc')
    .offset(keep.rows)
    .limit(1)
    .executeTakeFirst();
  if (lastExchange !== undefined) {
    await transaction
      .deleteFrom('exchanges')
      .where('device', '=', device)
      .where('id', '<=', lastExchange.id)
      .where('is_open', '=', 0)
      .where('token', 'not in', joinTokens)
      .execute();
  }
}

/** The newest row that is beyond a limit, counted from the newest of all. */
async function lastOver(
  transaction: Transaction<FleetTables>,
  table: 'messages' | 'data',
  device: string,
  keep: Keep,
): Promise<number | undefined> {
  const { rows } = await sql<{ id: number }>`
    select id from (
      select id, row_number() over newest as n, sum(length(bytes)) over newest as total
      from ${sql.table(table)} where device = ${device}
      window newest as (order by id desc)
    ) where n > ${keep.rows} or total > ${keep.bytes}
    order by id desc limit 1`.execute(transaction);
  return rows[0]?.id;
}
