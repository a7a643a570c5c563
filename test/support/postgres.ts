import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { locate } from '../../scripts/system-programs.ts';
import { daemonEnvironment, folderFor, ownerOf, startGuarded, type Guarded, type Owner } from './guarded.ts';
import { freePort } from './ports.ts';

/** The user in all URLs. */
const SUPERUSER = 'postgres';
const MAX_CONNECTIONS = 100;

export interface PostgresOptions {
  /** Whether a commit waits for the disk; true by default. Without it too, what is committed outlives `kill`. */
  readonly fsync?: boolean;
  /** A certificate and its private key, as PEM. With it, TCP without TLS is refused. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly maxConnections?: number;
  /** Further settings of postgresql.conf, such as `{ idle_in_transaction_session_timeout: '1s' }`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

/** How PostgreSQL ends: `fast` breaks off its sessions and saves; `immediate` saves nothing, and recovers at its start. */
export type Ending = 'fast' | 'immediate';
const SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** A real PostgreSQL with a data folder of its own, on 127.0.0.1 and a Unix socket only. */
export interface Postgres {
  /** As superuser, to the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly password: string;
  /** The folder of its Unix socket, for `host` of a client. */
  readonly socketFolder: string;
  /** The process id of the postmaster of the last start. */
  readonly pid: number;
  /** What it has logged in all its runs. */
  log(): string;
  /** The same port and data; resolves when it takes connections. */
  start(): Promise<void>;
  stop(ending?: Ending): Promise<void>;
  restart(ending?: Ending): Promise<void>;
  /** Kills all its processes at one go: nothing is saved, and no client is told. */
  kill(): Promise<void>;
  /** Stops it and removes its folder. */
  clear(): Promise<void>;
  /** The rows that a statement gives to the superuser. */
  query<Row extends object = Record<string, unknown>>(sql: string, database?: string): Promise<Row[]>;
  /** Makes an empty database and gives its URL. The name is random unless it is given. */
  createDatabase(name?: string): Promise<string>;
  /** Copies a database that nobody uses, and gives the URL of the copy. Takes a name or a URL. */
  copyDatabase(nameOrUrl: string): Promise<string>;
  /** Takes a name or a URL; breaks off its sessions. */
  dropDatabase(nameOrUrl: string): Promise<void>;
}

/**
 * Makes and starts it in less than a second. It ends with this process, whatever happens to that.
 *
 * @example
 * const postgres = await startPostgres();
 * ground.later(() => postgres.clear());
 * const url = await postgres.createDatabase();
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const owner = ownerOf('postgres');
  const folder = await folderFor(owner, 'srup-postgres-');
  const [port, password] = [await freePort(), randomBytes(16).toString('hex')];
  await initialise(folder, owner, password);
  await configure(folder, owner, port, options);
  const postgres = controlled(folder, owner, port, password);
  await postgres.start();
  return postgres;
}

function executable(): string {
  const found = locate('postgres');
  if (found === undefined) throw new Error('PostgreSQL is not installed: apt-get install postgresql');
  return found;
}

async function initialise(folder: string, owner: Owner, password: string): Promise<void> {
  const passwordFile = join(folder, 'password');
  await writeOwned(passwordFile, `${password}\n`, owner);
  const args = ['--pgdata', join(folder, 'data'), '--username', SUPERUSER, '--pwfile', passwordFile];
  const kind = ['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C', '--no-sync'];
  await promisify(execFile)(join(dirname(executable()), 'initdb'), [...args, ...kind], {
    ...owner,
    cwd: folder,
    env: daemonEnvironment(),
  });
  await rm(passwordFile);
}

async function writeOwned(file: string, content: string, { uid, gid }: Owner): Promise<void> {
  await writeFile(file, content, { mode: 0o600 });
  if (uid !== undefined && gid !== undefined) await chown(file, uid, gid);
}

async function configure(
  folder: string,
  owner: Owner,
  port: number,
  { fsync = true, tls, maxConnections = MAX_CONNECTIONS, settings = {} }: PostgresOptions,
): Promise<void> {
  const data = join(folder, 'data');
  const all = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: folder,
    unix_socket_permissions: '0700',
    max_connections: maxConnections,
    fsync,
    log_line_prefix: '%m [%p] ',
    ssl: tls !== undefined,
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${String(value)}'\n`);
  await writeOwned(join(data, 'postgresql.conf'), lines.join(''), owner);
  const kind = tls === undefined ? 'host' : 'hostssl';
  const tcp = ['all', 'replication']
    .map((what) => `${kind} ${what} all 127.0.0.1/32 scram-sha-256\n`)
    .join('');
  await writeOwned(join(data, 'pg_hba.conf'), `local all all scram-sha-256\n${tcp}`, owner);
  if (tls === undefined) return;
  await writeOwned(join(data, 'server.crt'), tls.certificate, owner);
  await writeOwned(join(data, 'server.key'), tls.key, owner);
}

function controlled(folder: string, owner: Owner, port: number, password: string): Postgres {
  const earlier: string[] = [];
  let running: Guarded | undefined;

  async function start(): Promise<void> {
    if (running?.alive() === true) throw new Error('PostgreSQL runs already');
    if (running !== undefined) earlier.push(running.log());
    running = await startGuarded({
      command: [executable(), '-D', join(folder, 'data')],
      owner,
      folder,
      endsBy: 'QUIT',
      ready: /database system is ready to accept connections/,
    });
  }

  async function stop(ending: Ending = 'fast'): Promise<void> {
    if (running?.alive() === true) running.signal(SIGNALS[ending]);
    await running?.ended;
  }

  async function kill(): Promise<void> {
    if (running?.alive() === true) killFamily(running);
    await running?.ended;
  }

  async function query<Row extends object>(sql: string, database = 'postgres'): Promise<Row[]> {
    const client = new Client({ host: folder, port, user: SUPERUSER, password, database });
    // The server may end before the connection does; the query fails then, which is enough.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  const urlOf = (database: string): string =>
    `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;

  return {
    url: urlOf('postgres'),
    port,
    password,
    socketFolder: folder,
    get pid() {
      return running?.pid ?? 0;
    },
    log: () => [...earlier, running?.log() ?? ''].join(''),
    start,
    stop,
    restart: async (ending) => {
      await stop(ending);
      await start();
    },
    kill,
    clear: async () => {
      await stop('immediate');
      await rm(folder, { recursive: true, force: true });
    },
    query,
    createDatabase: async (name = randomName()) => {
      await query(`create database "${name}"`);
      return urlOf(name);
    },
    copyDatabase: async (nameOrUrl) => {
      const name = randomName();
      // A copy of small files costs less than one through the log.
      await query(`create database "${name}" template "${nameIn(nameOrUrl)}" strategy file_copy`);
      return urlOf(name);
    },
    dropDatabase: async (nameOrUrl) => {
      await query(`drop database if exists "${nameIn(nameOrUrl)}" with (force)`);
    },
  };
}

const randomName = (): string => `test_${randomBytes(8).toString('hex')}`;
const nameIn = (nameOrUrl: string): string => nameOrUrl.slice(nameOrUrl.lastIndexOf('/') + 1);

/** The postmaster stops first, so that it starts no other; its processes are in groups of their own. */
function killFamily(postmaster: Guarded): void {
  postmaster.signal('SIGSTOP');
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  for (const line of table.trim().split('\n')) {
    const [pid, parent] = line.trim().split(/\s+/).map(Number);
    if (pid !== undefined && parent === postmaster.pid) killIfThere(pid);
  }
  postmaster.signal('SIGKILL');
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
