/**
 * Daemons that end with the process that started them, however that ends, and that refuse to run as root.
 *
 * A shell becomes the daemon after it has left a guard behind. The guard reads from a pipe whose other end only this
 * process holds: when that ends, also by SIGKILL, the guard reads nothing, ends the daemon and removes its folder.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { until } from './wait.ts';

/**
 * $0 is the signal to end the daemon with, $1 its folder. A stopped process takes the signal only when it goes on. The
 * guard waits 10 seconds for the end at most, as a process whose parent is gone can stay in the table for ever.
 */
const GUARD = `
folder=$1; shift
guard() {
  read -r _ && exit
  kill -"$0" $$; kill -CONT $$
  for _ in $(seq 100); do kill -0 $$ || break; sleep 0.1; done
  rm -rf "$folder"
}
guard <&3 >/dev/null 2>&1 &
exec "$@" 3<&-`;
/** The file descriptor of the guard's pipe. */
const PIPE = 3;

/** Whom programs run as that refuse root: Debian's packages of PostgreSQL and PgBouncer make this user. */
export interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

export function ownerOf(user: string): Owner {
  if (process.getuid?.() !== 0) return {};
  const ask = (option: string): number => Number(execFileSync('id', [option, user], { encoding: 'utf8' }));
  return { uid: ask('-u'), gid: ask('-g') };
}

/** Makes a folder for what belongs to that owner. Folders of tests are closed to others, so it is not in one. */
export async function folderFor({ uid, gid }: Owner, prefix: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  if (uid !== undefined && gid !== undefined) await chown(folder, uid, gid);
  return folder;
}

export interface Guarded {
  readonly pid: number;
  /** What it has said on stderr. */
  log(): string;
  /** Whether it runs. */
  alive(): boolean;
  signal(name: NodeJS.Signals): void;
  /** Resolves once it has ended, and all processes that it started. */
  readonly ended: Promise<void>;
}

export interface Daemon {
  readonly command: readonly [string, ...string[]];
  readonly owner: Owner;
  /** Its own folder. */
  readonly folder: string;
  /** Ends it at once. */
  readonly endsBy: 'QUIT' | 'TERM';
  /** What it logs when it takes connections. */
  readonly ready: RegExp;
}

/** Resolves when it is ready; throws with its log if it ends before. */
export async function startGuarded({ command, owner, folder, endsBy, ready }: Daemon): Promise<Guarded> {
  const said: string[] = [];
  const child: ChildProcess = spawn('/bin/sh', ['-c', GUARD, endsBy, folder, ...command], {
    ...owner,
    cwd: folder,
    // An interrupt from the terminal is for the tests, which end it in their own order.
    detached: true,
    env: daemonEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const pipe = child.stdio[PIPE] as Writable;
  pipe.on('error', () => undefined);
  child.stderr?.setEncoding('utf8').on('data', (text: string) => said.push(text));
  child.once('exit', () => pipe.end('ended\n'));
  const ended = once(child, 'close').then(() => undefined);
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  const log = (): string => said.join('');
  await until(`${command[0]} is ready`, () => {
    if (!alive()) throw new Error(`${command.join(' ')} ended:\n${log()}`);
    return ready.test(log());
  });
  return { pid: child.pid ?? 0, log, alive, signal: (name) => child.kill(name), ended };
}

/** Nothing of the user's settings: PG* variables and locales change what these programs do. */
export function daemonEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
}
