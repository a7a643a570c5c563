/** One connection to PostgreSQL: how it is made, and what is asked of it before it is used. */
import pg from 'pg';
import { StoreError, StoreFault } from '../fault.ts';
import { codeOf, faultOf } from './fault.ts';
import { urlOf, type PostgresPlace } from './place.ts';

/** Timeout for a connection, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Timeout for a statement, in milliseconds. */
const STATEMENT_TIMEOUT_MS = 60_000;
/** PostgreSQL 15. */
const OLDEST_VERSION = 150_000;

export interface SessionOptions {
  readonly schema: string;
  /** Shown in the lists of PostgreSQL. */
  readonly name: string;
  readonly isReadOnly?: boolean;
  /** True: a statement that takes too long ends the connection, so that a network that swallows everything is noticed. */
  readonly isTimed?: boolean;
  /** A setting that its owner needs, such as `enable_seqscan=off`. */
  readonly settings?: readonly string[];
}

/**
 * Whole numbers come as numbers (all of ours are below 2^53), and bytes as plain `Uint8Array`, as from SQLite.
 */
const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [pg.types.builtins.INT8, Number],
  [pg.types.builtins.NUMERIC, Number],
  [pg.types.builtins.BYTEA, bytesOf],
]);
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid) => PARSERS.get(oid) ?? (pg.types.getTypeParser(oid) as (text: string) => unknown),
};

function bytesOf(text: string): Uint8Array {
  const { buffer, byteOffset, length } = Buffer.from(text.slice(2), 'hex');
  return new Uint8Array(buffer, byteOffset, length);
}

/** What the client of one connection is made with. */
export function clientConfig(
  place: PostgresPlace,
  { schema, name, isReadOnly, isTimed, settings = [] }: SessionOptions,
) {
  const { host, port, database, user, password, transport, ca } = place;
  const all = [
    `search_path=${schema}`,
    // Compiling a statement takes 100 ms, and ours run for one: worth it never, but `enable_seqscan=off` makes it seem so.
    'jit=off',
    ...(isReadOnly === true ? ['default_transaction_read_only=on'] : []),
    // The server finds out within half a minute that a machine of ours has died, and lets go of its lock.
    'tcp_keepalives_idle=10',
    'tcp_keepalives_interval=5',
    'tcp_keepalives_count=3',
    ...settings,
  ];
  return {
    ...{ host, port, database, user, types },
    // A function: the client would look for a password in the environment and in files otherwise.
    password: () => password?.reveal() ?? '',
    ssl: transport === 'tls' ? { ca, rejectUnauthorized: true, minVersion: 'TLSv1.2' as const } : false,
    enableChannelBinding: true,
    application_name: name,
    options: all.map((setting) => `-c ${setting}`).join(' '),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    ...(isTimed === true && { query_timeout: STATEMENT_TIMEOUT_MS }),
    pipeline: true,
  };
}

/** Faults that will not go away by waiting, by SQLSTATE: what is wrong, and what to do. */
const REFUSED: Readonly<Record<string, string>> = {
  '28P01':
    'The password is wrong or missing. Give it in a file (--database-password-file) or in SRUP_DATABASE_PASSWORD.',
  '28000':
    "PostgreSQL's pg_hba.conf doesn't let this user in from here. Add a line for it, and reload PostgreSQL.",
  '3D000':
    'There is no such database. Create it: createdb --owner USER --encoding UTF8 --template template0 NAME.',
  '3F000': 'There is no such schema.',
  '42501': 'The user lacks a right there. Make the user the owner of the database.',
  '08P01': 'A connection pooler seems to stand in front of PostgreSQL. Name PostgreSQL itself.',
};

/**
 * Says why a first connection failed: `StoreError` for what stays wrong until a person changes something, `StoreFault`
 * for what can pass.
 */
export function connectionFault(place: PostgresPlace, fault: unknown): Error {
  if (fault instanceof StoreError) return fault;
  const { message } = fault as Error;
  const advice = REFUSED[codeOf(fault) ?? ''] ?? adviceFor(message, place);
  const what = `The database ${urlOf(place)} can't be used: ${message.replace(/\.$/, '')}.`;
  if (advice !== undefined) return new StoreError(`${what} ${advice}`, { cause: fault });
  const known = faultOf(fault);
  return known instanceof Error ? known : new StoreFault(message, { cause: fault });
}

/** What the client says in words of its own, or TLS does. */
function adviceFor(message: string, { transport }: PostgresPlace): string | undefined {
  if (message.includes('does not support SSL')) {
    return 'Turn TLS on in PostgreSQL (ssl = on). On a network that nobody else can reach, --insecure-plain-database does without.';
  }
  if (transport === 'tls' && /certificate|self-signed|altname/i.test(message)) {
    return "Give the CA of PostgreSQL's certificate with --database-ca, and the host name that stands in the certificate.";
  }
  return /password/i.test(message) ? REFUSED['28P01'] : undefined;
}

/** Connects a client. Rejects as `connectionFault` says. */
export async function connect(place: PostgresPlace, options: SessionOptions): Promise<pg.Client> {
  const client = new pg.Client(clientConfig(place, options));
  // A connection that ends while nothing is asked of it is noticed by its owner; without this it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await checkServer(place, client, options);
    return client;
  } catch (fault) {
    void client.end().catch(() => undefined);
    throw connectionFault(place, fault);
  }
}

interface Facts {
  readonly version: number;
  readonly encoding: string;
  readonly standby: boolean;
  readonly pid: number;
  readonly path: string;
}

/** Refuses what would go wrong later, in words. */
async function checkServer(
  place: PostgresPlace,
  client: pg.Client,
  { schema, isReadOnly }: SessionOptions,
): Promise<void> {
  const { rows } = await client.query<Facts>(
    `select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding,
       pg_is_in_recovery() as standby, pg_backend_pid() as pid, current_setting('search_path') as path`,
  );
  const [facts] = rows;
  if (facts === undefined) throw new StoreFault('the database says nothing about itself');
  const name = `The database ${urlOf(place)}`;
  if (facts.version < OLDEST_VERSION) {
    throw new StoreError(`${name} is PostgreSQL ${Math.floor(facts.version / 10_000)}. Use 15 or newer.`);
  }
  if (facts.encoding !== 'UTF8') {
    throw new StoreError(
      `${name} has the encoding ${facts.encoding}, which can't hold every text. Create one with --encoding UTF8 --template template0.`,
    );
  }
  // A pooler gives its clients a process id of its own. In one that shares connections, the lock and the settings of
  // this session would belong to somebody else after the next transaction.
  const told = (client as unknown as { readonly processID: number | null }).processID;
  if (facts.pid !== told || facts.path !== schema) {
    throw new StoreError(
      `Between this server and ${urlOf(place)} stands a connection pooler. A lock and prepared statements belong to one connection. Name PostgreSQL itself.`,
    );
  }
  if (facts.standby && isReadOnly !== true)
    throw new StoreFault('the database is a standby, which can only be read');
}
