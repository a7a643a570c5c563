/** Schemas as they are at one moment, while a server writes to them. */
import type pg from 'pg';
import { Kysely } from 'kysely';
import { StoreError } from '../../fault.ts';
import { refuseNewer } from '../../migrate.ts';
import type { Migrations } from '../../schema/steps.ts';
import { PostgresWays } from '../adapter.ts';
import { appliedSteps } from './contents.ts';
import { nameStatements, PostgresConnection, postgresDialect, WriterDriver } from '../dialect.ts';
import type { PostgresStorePlace } from '../place.ts';
import { urlOf } from '../place.ts';
import { connect, connectionFault, type Session } from '../session.ts';

export interface HeldSchema {
  readonly place: PostgresStorePlace;
  readonly migrations: Migrations;
}

/** A schema that is held; only for reading. */
export type Held = Kysely<unknown>;

/**
 * Holds the state of each schema as it is now, all of them of one moment. Rejects with `StoreError` when one is of
 * another version than this program, and else as `connect` does. Nobody waits for those who read from it.
 *
 * @example
 * const { schemas, close } = await holdSchemas([{ place, migrations: coreMigrations }]);
 */
export async function holdSchemas(
  wanted: readonly HeldSchema[],
): Promise<{ readonly schemas: readonly Held[]; close(): Promise<void> }> {
  const sessions: Session[] = [];
  const close = async (): Promise<void> => {
    for (const { end } of sessions) await end();
  };
  try {
    let moment: string | undefined;
    for (const { place, migrations } of wanted) {
      const session = await connect(place, {
        ...{ schema: place.schema, name: 'srup: backup', isReadOnly: true },
        settings: ['idle_in_transaction_session_timeout=0'],
      });
      sessions.push(session);
      moment = await holdOne(session, { place, migrations }, moment);
    }
  } catch (fault) {
    await close();
    throw fault;
  }
  return { schemas: sessions.map(({ client }) => readerOf(client)), close };
}

async function holdOne(
  { client }: Session,
  { place, migrations }: HeldSchema,
  moment: string | undefined,
): Promise<string> {
  try {
    const held = await holdMoment(client, moment);
    refuseOther(await appliedSteps(client), place, migrations);
    return held;
  } catch (fault) {
    throw connectionFault(place, fault);
  }
}

/** Begins a transaction that sees this moment, or now, and names what it sees. */
async function holdMoment(client: pg.Client, moment: string | undefined): Promise<string> {
  await client.query('begin transaction isolation level repeatable read read only');
  if (moment !== undefined) {
    await client.query(`set transaction snapshot ${client.escapeLiteral(moment)}`);
    return moment;
  }
  const { rows } = await client.query<{ moment: string }>('select pg_export_snapshot() as moment');
  return rows[0]?.moment ?? '';
}

function refuseOther(applied: readonly string[], place: PostgresStorePlace, migrations: Migrations): void {
  refuseNewer(applied, urlOf(place), migrations);
  const missing = Object.keys(migrations).find((name) => !applied.includes(name));
  if (missing === undefined) return;
  throw new StoreError(
    `The database ${urlOf(place)} is of an older version (step "${missing}" is missing), or no server has used it yet. ` +
      'Start the server with this version first.',
  );
}

function readerOf(client: pg.Client): Held {
  const connection = new PostgresConnection(client, nameStatements());
  const driver = new WriterDriver(async () => connection);
  return new Kysely<unknown>({ dialect: postgresDialect(new PostgresWays(), driver) });
}
