/** What can be seen of a database of PostgreSQL without changing anything, for whoever looks for what is wrong. */
import { connect } from './session.ts';
import type { PostgresStorePlace } from './place.ts';

export interface PostgresReport {
  /** As PostgreSQL writes it: `16.4`. */
  readonly version: string;
  readonly encoding: string;
  /** Undefined when the connection does not leave this machine. */
  readonly tls: boolean | undefined;
  /** May the user make the tables of a later version? */
  readonly canCreate: boolean;
  /** Sessions in the same database that are not of SRUP. */
  readonly others: number;
  readonly connections: { readonly used: number; readonly most: number };
  readonly isStandby: boolean;
  /** Standbys that can lack what was acknowledged. */
  readonly lagging: number;
  /** True when a commit of the server waits for no standby, whatever is set for standbys: `synchronous_commit` is `local`. */
  readonly isLocal: boolean;
  /** How far its clock is ahead of ours, in milliseconds; nothing of the server depends on it. */
  readonly clockAheadMs: number;
  readonly autovacuum: boolean;
  /** Does it wait for its disk? */
  readonly fsync: boolean;
  readonly bytes: number;
}

type Row = Omit<PostgresReport, 'connections' | 'tls' | 'clockAheadMs'> & {
  readonly tls: boolean;
  readonly used: number;
  readonly most: number;
  readonly clock: number;
};

/**
 * Looks at a database; a server can be using it. Rejects as a first connection does, with `StoreError` or `StoreFault`.
 * @param now ours, in milliseconds since 1970
 *
 * @example
 * const { version, lagging } = await examinePostgres(place, Date.now);
 */
export async function examinePostgres(place: PostgresStorePlace, now: () => number): Promise<PostgresReport> {
  const { schema, transport } = place;
  const options = { schema, name: 'srup: doctor', isReadOnly: true, isTimed: true };
  const { client, end } = await connect(place, options);
  try {
    const begun = now();
    const { rows } = await client.query<Row>(QUESTION, [schema]);
    const between = (begun + now()) / 2;
    const { tls, used, most, clock, ...rest } = rows[0] as Row;
    return {
      ...rest,
      tls: transport === 'loopback' ? undefined : tls,
      connections: { used, most },
      clockAheadMs: Math.round(clock - between),
    };
  } finally {
    await end();
  }
}

/**
 * A user without the role pg_monitor sees a standby, but not how it is: then what is set for all of them counts. And it
 * sees a session of another role, but not of what type: PostgreSQL's own processes have no user, or no database, or are
 * those that serve standbys.
 */
const QUESTION = `
  with client as (
    select * from pg_stat_activity
    where coalesce(backend_type, 'client backend') = 'client backend' and usesysid is not null and datid is not null
      and pid not in (select pid from pg_stat_replication)
  )
  select split_part(current_setting('server_version'), ' ', 1) as version,
    current_setting('server_encoding') as encoding,
    coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as tls,
    coalesce(
      (select has_schema_privilege(oid, 'create') from pg_namespace where nspname = $1),
      has_database_privilege(current_database(), 'create')
    ) as "canCreate",
    (select count(*) from client
      where datname = current_database() and application_name not like 'srup: %') as others,
    (select count(*) from client) as used,
    current_setting('max_connections')::int as most,
    pg_is_in_recovery() as "isStandby",
    current_setting('synchronous_commit') = 'local' as "isLocal",
    (select count(*) from pg_stat_replication
      where (current_setting('synchronous_commit') = 'local' or coalesce(
        sync_state, case current_setting('synchronous_standby_names') when '' then 'async' else 'sync' end
      ) in ('async', 'potential')) and application_name <> 'pg_basebackup') as lagging,
    extract(epoch from clock_timestamp()) * 1000 as clock,
    current_setting('autovacuum')::bool as autovacuum,
    current_setting('fsync')::bool as fsync,
    pg_database_size(current_database()) as bytes`;
