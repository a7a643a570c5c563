/** What the metrics read from the store when somebody asks for them. */
import { sql } from 'kysely';
import type { Read } from '../store/port.ts';
import { IS_OPEN } from '../store/schema/exchanges.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Ages of a device's last signed message, in seconds, within which joined devices are counted. */
export const AGES = [60, 300, 900, 3_600, 21_600, 86_400, 604_800] as const;

export interface StoredState {
  readonly standings: readonly { standing: string; count: number }[];
  /** Joined devices proven within each of `AGES`, then all that ever were. */
  readonly provenWithin: readonly number[];
  readonly open: readonly { kind: string; phase: string; count: number }[];
  /** `oldest`: when it was written, in ms since 1970. */
  readonly outbox: { readonly count: number; readonly oldest?: number };
  readonly refusals: readonly { code: string; count: number }[];
  readonly artifacts: { readonly count: number; readonly bytes: number };
}

export async function readState(store: Read<CoreTables>, now: number): Promise<StoredState> {
  return {
    standings: await readStandings(store),
    provenWithin: await readProven(store, now),
    open: await readOpen(store),
    outbox: await readOutbox(store),
    refusals: await store.selectFrom('refusal_counts').selectAll().execute(),
    artifacts: await readArtifacts(store),
  };
}

/** A database may give a count or a sum as a number, a bigint or a text. */
type Amount = number | bigint | string;

async function readStandings(store: Read<CoreTables>): Promise<StoredState['standings']> {
  const rows = await store
    .selectFrom('devices')
    .select(['standing', (select) => select.fn.countAll<Amount>().as('count')])
    .groupBy('standing')
    .execute();
  return rows.map(({ standing, count }) => ({ standing, count: Number(count) }));
}

async function readProven(store: Read<CoreTables>, now: number): Promise<number[]> {
  const counts: Readonly<Record<string, Amount | null>> = await store
    .selectFrom('peers')
    .innerJoin('devices', 'devices.id', 'peers.device')
    .select(({ fn }) => [
      ...AGES.map((age, index) =>
        fn
          .sum<Amount>(
            sql<number>`case when ${sql.ref('peers.proven_at')} > ${now - age * 1000} then 1 else 0 end`,
          )
          .as(`age${index}`),
      ),
      fn.count<Amount>('peers.proven_at').as('all'),
    ])
    .where('standing', '=', 'joined')
    .executeTakeFirstOrThrow();
  return [...AGES.map((_, index) => Number(counts[`age${index}`])), Number(counts['all'])];
}

async function readOpen(store: Read<CoreTables>): Promise<StoredState['open']> {
  const rows = await store
    .selectFrom('exchanges')
    .select(['kind', 'phase', (select) => select.fn.countAll<Amount>().as('count')])
    .where(IS_OPEN)
    .groupBy(['kind', 'phase'])
    .execute();
  return rows.map(({ kind, phase, count }) => ({ kind, phase, count: Number(count) }));
}

async function readOutbox(store: Read<CoreTables>): Promise<StoredState['outbox']> {
  const { count, oldest } = await store
    .selectFrom('outbox')
    .select(({ fn }) => [fn.countAll<Amount>().as('count'), fn.min<Amount>('created_at').as('oldest')])
    .executeTakeFirstOrThrow();
  // The oldest of no rows is null.
  return { count: Number(count), ...(Number(count) > 0 && { oldest: Number(oldest) }) };
}

async function readArtifacts(store: Read<CoreTables>): Promise<StoredState['artifacts']> {
  const { count, bytes } = await store
    .selectFrom('artifacts')
    .select(({ fn }) => [fn.countAll<Amount>().as('count'), fn.sum<Amount>('bytes').as('bytes')])
    .executeTakeFirstOrThrow();
  return { count: Number(count), bytes: Number(bytes) };
}
