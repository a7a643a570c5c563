import { sql } from 'kysely';
import { appendAudit } from '../chain/append.ts';
import type { Write } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { chainWaiting } from './bundle.ts';

/** What the server keeps of one device: a joined but hostile one must not fill the disk. */
export interface Keep {
  /** The newest rows of telemetry, of other messages, of data, and of finished exchanges of each kind (P 6.4). */
  readonly rows: number;
  /** Bytes of telemetry, of other messages, and of data. */
  readonly bytes: number;
  /** The oldest messages of a transaction that proves what is shown of the device. They stay, whatever the limits. */
  readonly proofs: number;
}

/** What the server keeps by default. */
export const KEPT_PER_DEVICE: Keep = { rows: 20_000, bytes: 64 * 2 ** 20, proofs: 1_000 };

/**
 * Deletes the oldest rows of a device that are over the limits. Telemetry, which a device sends by itself and without
 * end, takes no place from its receipts. The messages that show who let the device in stay for its life (P 9.8), and so
 * does the proof of what it runs.
 * @param at milliseconds since 1970
 */
export async function trimDevice(
  write: Write<CoreTables>,
  device: string,
  keep: Keep,
  at: number,
): Promise<void> {
  // A message's hash is in the trail before its bytes go, and the trail says that they may go.
  await chainWaiting(write, device, at);
  const last = await trimMessages(write, device, keep);
  if (last !== undefined) await appendAudit(write, { kind: 'trim', at, device, body: last });
  await trimData(write, device, keep);
  await trimExchanges(write, device, keep);
}

/** The tokens of the transactions that prove how the device came in, what it runs and what it holds. */
function proving(device: string) {
  return sql`
    select token from join_decisions where device = ${device}
    union select running_token from devices where id = ${device} and running_token is not null
    union select staged_token from devices where id = ${device} and staged_token is not null`;
}

/** The ids of the last deleted messages: `data` of telemetry, `through` of the others; 0 for none. */
type Trimmed = Readonly<Record<'through' | 'data', number>>;

async function trimMessages(
  write: Write<CoreTables>,
  device: string,
  { rows: most, bytes, proofs }: Keep,
): Promise<Trimmed | undefined> {
  const { rows } = await sql<{ id: number; is_data: number }>`
    delete from messages where id in (
      select ranked.id from (
        select id, row_number() over newest as n, sum(length(bytes)) over newest as total
        from messages where device = ${device}
        window newest as (partition by case when type = 'DATA' then 1 else 0 end order by id desc)
      ) as ranked where ranked.n > ${most} or ranked.total > ${bytes}
    ) and id not in (
      select proofs.id from (
        select id, row_number() over (partition by token order by id) as n
        from messages where device = ${device} and type <> 'DATA' and token in (${proving(device)})
      ) as proofs where proofs.n <= ${proofs}
    ) returning id, case when type = 'DATA' then 1 else 0 end as is_data`.execute(write);
  if (rows.length === 0) return undefined;
  const last = (isData: number): number =>
    rows.reduce((most, row) => (row.is_data === isData && row.id > most ? row.id : most), 0);
  return { through: last(0), data: last(1) };
}

async function trimData(write: Write<CoreTables>, device: string, keep: Keep): Promise<void> {
  await sql`
    delete from data where id in (
      select ranked.id from (
        select id, row_number() over newest as n, sum(length(bytes)) over newest as total
        from data where device = ${device}
        window newest as (order by id desc)
      ) as ranked where ranked.n > ${keep.rows} or ranked.total > ${keep.bytes}
    )`.execute(write);
}

async function trimExchanges(write: Write<CoreTables>, device: string, keep: Keep): Promise<void> {
  await sql`
    delete from exchanges where is_open = 0 and token not in (${proving(device)}) and id in (
      select ranked.id from (
        select id, row_number() over (partition by kind order by id desc) as n
        from exchanges where device = ${device}
      ) as ranked where ranked.n > ${keep.rows}
    )`.execute(write);
}
