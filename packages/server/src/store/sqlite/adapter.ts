import { sql, SqliteAdapter } from 'kysely';
import type { Ways } from '../ways.ts';

/** SQLite can change tables in a transaction: a migration that is killed half-way leaves nothing behind. */
export class SqliteWays extends SqliteAdapter implements Ways {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }

  readonly rowsGiven: Ways['rowsGiven'] = (columns, valueOf) =>
    sql`(select ${sql.join(columns.map(([name]) => sql`${valueOf(name)} as ${sql.ref(name)}`))})`;

  /** A run costs no way to anywhere, so each row has one. */
  readonly runsOf: Ways['runsOf'] = (_columns, rows) => rows as readonly Readonly<Record<string, unknown>>[];

  readonly appendOnly: Ways['appendOnly'] = (table) =>
    (['update', 'delete'] as const).map(
      (
        change,
      ) => sql`create trigger ${sql.ref(`${table}_no_${change}`)} before ${sql.raw(change)} on ${sql.raw(table)}
      begin select raise(abort, 'the audit trail is append-only'); end`,
    );

  readonly lastKey: Ways['lastKey'] = (table) =>
    sql`select coalesce(max(seq), 0) as last from sqlite_sequence where name = ${table}`;

  readonly keysAfter: Ways['keysAfter'] = (table, _key, last) => [
    sql`delete from sqlite_sequence where name = ${table}`,
    sql`insert into sqlite_sequence (name, seq) values (${table}, ${last})`,
  ];
}
