/** One connection to PostgreSQL: how it is made, what is asked of it before it is used, and how it ends. */
import { Socket } from 'node:net';
import pg from 'pg';
import { realDelay, within } from '@srup/node';
import { StoreError, StoreFault } from '../fault.ts';
import { codeOf, faultOf, wordsOf } from './fault.ts';
import { judgeServer, type ServerFacts } from './judge.ts';
import { urlOf, type PostgresPlace } from './place.ts';
import { TIMES, type Times } from './times.ts';

export interface SessionOptions {
  readonly schema: string;
  /** Shown in the lists of PostgreSQL. */
  readonly name: string;
  readonly isReadOnly?: boolean;
  /** True: a statement that takes too long ends the connection, so that a network that swallows everything is noticed. */
  readonly isTimed?: boolean;
  /** A setting that its owner needs, such as `enable_seqscan=off`. */
  readonly settings?: readonly string[];
  readonly times?: Times;
}

/** A connection, as its owner holds it. */
export interface Session {
  readonly client: pg.Client;
  /** Ends it. A network that swallows everything, or a statement that hangs, delays that for a short time only. */
  readonly end: () => Promise<void>;
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

/** What the client of one connection is made with. `onSocket` gets its socket, which outlives a client that hangs. */
export function clientConfig(
  place: PostgresPlace,
  { schema, name, isReadOnly, isTimed, settings = [], times = TIMES }: SessionOptions,
  onSocket: (socket: Socket) => void,
) {
  const { host, port, database, user, password, transport, ca } = place;
  const all = [
    `search_path=${schema}`,
    // Compiling a statement takes 100 ms, and ours run for one: worth it never, but `enable_seqscan=off` makes it seem so.
    'jit=off',
    ...(isReadOnly === true ? ['default_transaction_read_only=on'] : []),
    // The form in which `bytesOf` reads bytes; whoever keeps the database may prefer another one.
    'bytea_output=hex',
    // The server finds out within half a minute that a machine of ours has died, and lets go of its lock.
    'tcp_keepalives_idle=10',
    'tcp_keepalives_interval=5',
    'tcp_keepalives_count=3',
    'tcp_user_timeout=25000',
    // Timeouts that are set for everybody must not end a session that rests and holds the lock.
    'idle_session_timeout=0',
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
    connectionTimeoutMillis: times.connectMs,
    keepAlive: true,
    ...(isTimed === true && { query_timeout: times.statementMs }),
    pipeline: true,
    stream: () => {
      const socket = new Socket();
      onSocket(socket);
      return socket;
    },
  };
}

/** Faults that will not go away by waiting, by SQLSTATE: what to do. */
const REFUSED: Readonly<Record<string, string>> = {
  '28P01':
    'The password is wrong or missing. Give it in SRUP_DATABASE_PASSWORD, or in a file that srup up --database-password-file names.',
  '28000':
    "PostgreSQL's pg_hba.conf doesn't let this user in from here. Add a line for it, and reload PostgreSQL.",
  '3D000':
    'There is no such database. Create it: createdb --owner USER --encoding UTF8 --template template0 NAME.',
  '3F000':
    'There is no such schema, or the user may not use it. Make the user the owner of the database and of the schemas of SRUP in it.',
  '42501':
    'The user lacks a right there. Make the user the owner of the database and of the schemas of SRUP in it.',
  '08P01': 'A connection pooler seems to stand in front of PostgreSQL. Name PostgreSQL itself.',
};

/**
 * Says why a first connection failed: `StoreError` for what stays wrong until a person changes something, `StoreFault`
 * for what can pass.
 */
export function connectionFault(place: PostgresPlace, fault: unknown): Error {
  if (fault instanceof StoreError || fault instanceof StoreFault) return fault;
  const words = wordsOf(fault).replace(
    /^SASL: .*password must be a.*$/,
    'it asks for a password, and none was given',
  );
  const advice = adviceFor(words, place) ?? REFUSED[codeOf(fault) ?? ''];
  const what = `The database ${urlOf(place)} can't be used: ${words.replace(/\.$/, '')}.`;
  if (advice !== undefined) return new StoreError(`${what} ${advice}`, { cause: fault });
  const known = faultOf(fault);
  return known instanceof Error ? known : new StoreFault(words, { cause: fault });
}

/** What the client says in words of its own, or TLS does. */
function adviceFor(words: string, { transport }: PostgresPlace): string | undefined {
  if (words.includes('does not support SSL')) {
    return 'Turn TLS on in PostgreSQL (ssl = on). On a network that nobody else can reach, --insecure-plain-database does without.';
  }
  if (transport === 'tls' && /certificate|self-signed|altname/i.test(words)) {
    return "Give the CA of PostgreSQL's certificate with --database-ca, and the host name that stands in the certificate.";
  }
  if (transport !== 'tls' && words.includes('no encryption')) {
    return 'PostgreSQL may let this user in over TLS only: give the CA of its certificate with --database-ca.';
  }
  return /password/i.test(words) ? REFUSED['28P01'] : undefined;
}

/** Connects. Rejects as `connectionFault` says. */
export async function connect(place: PostgresPlace, options: SessionOptions): Promise<Session> {
  const { endMs } = options.times ?? TIMES;
  let socket: Socket | undefined;
  const client = new pg.Client(
    clientConfig(place, options, (made) => {
      socket = made;
    }),
  );
  // A connection that ends while nothing is asked of it is noticed by its owner; without this it would end the process.
  client.on('error', () => undefined);
  const end = async (): Promise<void> => {
    await within(realDelay, endMs, client.end(), 'the session did not end').catch(() => undefined);
    socket?.destroy();
  };
  try {
    await client.connect();
    await checkServer(place, client, options);
    return { client, end };
  } catch (fault) {
    void end();
    throw connectionFault(place, fault);
  }
}

/** Refuses what would go wrong later, and mends what can be mended for this session alone. */
async function checkServer(
  place: PostgresPlace,
  client: pg.Client,
  { schema, isReadOnly }: SessionOptions,
): Promise<void> {
  const { rows } = await client.query<ServerFacts>(
    `select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding,
       pg_is_in_recovery() as standby, pg_backend_pid() as pid, current_setting('search_path') as path,
       current_setting('synchronous_commit') as durability`,
  );
  const [facts] = rows;
  if (facts === undefined) throw new StoreFault('the database says nothing about itself');
  const told = (client as unknown as { readonly processID: number | null }).processID;
  judgeServer(facts, { place, schema, told, isReadOnly: isReadOnly === true });
  // What is acknowledged must be on the disk (P 5.3), whatever is set for all users of the database.
  // `local` waits for the disk, but for no standby. That is theirs to choose; srup doctor warns of it.
  if (facts.durability === 'off') await client.query('set synchronous_commit = on');
}
