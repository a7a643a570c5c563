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
  /** Sessions of a server, and of others, in the same database. */
  readonly sessions: { readonly servers: number; readonly others: number };
  readonly connections: { readonly used: number; readonly most: number };
  readonly isStandby: boolean;
  /** Standbys that can lack what was acknowledged. */
  readonly lagging: number;
  /** How far its clock is ahead of ours, in milliseconds; nothing of the server depends on it. */
  readonly clockAheadMs: number;
  readonly autovacuum: boolean;
  /** Does it wait for its disk? */
  readonly fsync: boolean;
  readonly bytes: number;
}

type Row = Omit<PostgresReport, 'sessions' | 'connections' | 'tls' | 'clockAheadMs'> & {
  readonly tls: boolean;
  readonly servers: number;
  readonly others: number;
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
    const { tls, servers, others, used, most, clock, ...rest } = rows[0] as Row;
    return {
      ...rest,
      tls: transport === 'loopback' ? undefined : tls,
      sessions: { servers, others },
      connections: { used, most },
      clockAheadMs: Math.round(clock - between),
    };
  } finally {
    await end();
  }
}

/** A user without the role pg_monitor sees a standby, but not how it is: then what is set for all of them counts. */
const QUESTION = `
  with here as (
    select * from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
  )
  select split_part(current_setting('server_version'), ' ', 1) as version,
    current_setting('server_encoding') as encoding,
    coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as tls,
    coalesce(
      (select has_schema_privilege(oid, 'create') from pg_namespace where nspname = $1),
      has_database_privilege(current_database(), 'create')
    ) as "canCreate",
    (select count(*) from here where application_name = 'srup: writes') as servers,
    (select count(*) from here where application_name not like 'srup: %') as others,
    (select count(*) from pg_stat_activity where backend_type = 'client backend') as used,
    current_setting('max_connections')::int as most,
    pg_is_in_recovery() as "isStandby",
    (select count(*) from pg_stat_replication
      where coalesce(sync_state, case current_setting('synchronous_standby_names') when '' then 'async' else 'sync' end)
        in ('async', 'potential') and application_name <> 'pg_basebackup') as lagging,
    extract(epoch from clock_timestamp()) * 1000 as clock,
    current_setting('autovacuum')::bool as autovacuum,
    current_setting('fsync')::bool as fsync,
    pg_database_size(current_database()) as bytes`;
