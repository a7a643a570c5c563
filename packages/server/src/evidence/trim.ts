import { sql } from 'kysely';
import { appendAudit } from '../audit/append.ts';
import { chainWaiting } from './messages.ts';
import type { FleetTables } from '../store/tables.ts';
import type { Write } from '../store/port.ts';

/** What is kept of one device: a joined but hostile one must not fill the disk. */
export interface Keep {
  /** Newest rows of telemetry, of other messages, of data, and of finished exchanges of each kind (P 6.4). */
  readonly rows: number;
  /** Bytes of telemetry, of other messages, and of data. */
  readonly bytes: number;
  /** Oldest messages of a transaction that proves what is shown of the device; they are not counted out. */
  readonly proofs: number;
}

export const KEPT_PER_DEVICE: Keep = { rows: 20_000, bytes: 64 * 2 ** 20, proofs: 1_000 };

/**
 * Drops the oldest that is over the limits. What a device says by itself and without end, telemetry, takes no place
 * from its receipts; what shows who let it in is kept for its life (P 9.8), and so is the proof of what it runs.
 */
export async function trimDevice(
  transaction: Write<FleetTables>,
  device: string,
  keep: Keep,
  at: number,
): Promise<void> {
  await trimMessages(transaction, device, keep, at);
  await sql`
    delete from data where id in (
      select id from (
        select id, row_number() over newest as n, sum(length(bytes)) over newest as total
        from data where device = ${device}
        window newest as (order by id desc)
      ) where n > ${keep.rows} or total > ${keep.bytes}
    )`.execute(transaction);
  await sql`
    delete from exchanges where is_open = 0 and token not in (${proving(device)}) and id in (
      select id from (
        select id, row_number() over (partition by kind order by id desc) as n
        from exchanges where device = ${device}
      ) where n > ${keep.rows}
    )`.execute(transaction);
}

/** Tokens of the transactions that prove how the device came in, what it runs and what it holds. */
function proving(device: string) {
  return sql`
    select token from join_decisions where device = ${device}
    union select running_token from devices where id = ${device} and running_token is not null
    union select staged_token from devices where id = ${device} and staged_token is not null`;
}

async function trimMessages(
  transaction: Write<FleetTables>,
  device: string,
  keep: Keep,
  at: number,
): Promise<void> {
  // A message's hash is in the trail before its bytes go, and the trail says that they may go.
  await chainWaiting(transaction, device, at);
  const { rows } = await sql<{ id: number; is_data: number }>`
    delete from messages where id in (
      select id from (
        select id, row_number() over newest as n, sum(length(bytes)) over newest as total
        from messages where device = ${device}
        window newest as (partition by type = 'DATA' order by id desc)
      ) where n > ${keep.rows} or total > ${keep.bytes}
    ) and id not in (
      select id from (
        select id, row_number() over (partition by token order by id) as n
        from messages where device = ${device} and type <> 'DATA' and token in (${proving(device)})
      ) where n <= ${keep.proofs}
    ) returning id, type = 'DATA' as is_data`.execute(transaction);
  if (rows.length === 0) return;
  const last = (isData: number): number =>
    rows.reduce((most, row) => (row.is_data === isData && row.id > most ? row.id : most), 0);
  await appendAudit(transaction, { kind: 'trim', at, device, body: { through: last(0), data: last(1) } });
}
