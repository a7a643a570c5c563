/** What is read from the store when somebody asks for the metrics. */
import { sql } from 'kysely';
import { IS_OPEN } from '../store/migrations.ts';
import type { ArtifactTables } from '../artifacts/tables.ts';
import type { FleetTables } from '../store/tables.ts';
import type { Read } from '../store/port.ts';

/** Ages of the last proof, in seconds: how many joined devices were heard within. */
export const AGES = [60, 300, 900, 3_600, 21_600, 86_400, 604_800] as const;

export interface StoredState {
  readonly standings: readonly { standing: string; count: number }[];
  /** Joined devices proven within each of `AGES`, then all that ever were. */
  readonly provenWithin: readonly number[];
  readonly open: readonly { kind: string; phase: string; count: number }[];
  readonly outbox: { readonly count: number; readonly oldest: number | null };
  readonly refusals: readonly { code: string; count: number }[];
  readonly artifacts: { readonly count: number; readonly bytes: number | null };
}

export async function readState(
  store: Read<FleetTables & ArtifactTables>,
  now: number,
): Promise<StoredState> {
  const standings = await store
    .selectFrom('devices')
    .select(['standing', (select) => select.fn.countAll<number>().as('count')])
    .groupBy('standing')
    .execute();
  const ages = await store
    .selectFrom('peers')
    .innerJoin('devices', 'devices.id', 'peers.device')
    .select([
      ...AGES.map((age, index) =>
        sql<number | null>`sum(peers.proven_at > ${now - age * 1000})`.as(`age${index}`),
      ),
      sql<number>`count(peers.proven_at)`.as('all'),
    ])
    .where('standing', '=', 'joined')
    .executeTakeFirstOrThrow();
  const counts = ages as Readonly<Record<string, number | null>>;
  const open = await store
    .selectFrom('exchanges')
    .select(['kind', 'phase', (select) => select.fn.countAll<number>().as('count')])
    .where(IS_OPEN)
    .groupBy(['kind', 'phase'])
    .execute();
  const outbox = await store
    .selectFrom('outbox')
    .select([sql<number>`count(*)`.as('count'), sql<number | null>`min(created_at)`.as('oldest')])
    .executeTakeFirstOrThrow();
  const artifacts = await store
    .selectFrom('artifacts')
    .select([sql<number>`count(*)`.as('count'), sql<number | null>`sum(bytes)`.as('bytes')])
    .executeTakeFirstOrThrow();
  return {
    standings,
    provenWithin: [...AGES.map((_, index) => counts[`age${index}`] ?? 0), counts['all'] ?? 0],
    open,
    outbox,
    refusals: await store.selectFrom('refusal_counts').selectAll().execute(),
    artifacts,
  };
}
