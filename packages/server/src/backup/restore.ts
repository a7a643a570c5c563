/** Puts a server back from a backup, in a new folder. */
import { mkdtemp, readdir, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeFolders, syncFolder, type Secret } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import type { CopyPhase } from '../copy/copy.ts';
import { databasesAt, filesIn, noteDatabases, type DatabaseNote } from '../store/databases.ts';
import { jumpAfter } from './ahead.ts';
import { BackupError } from './archive/fault.ts';
import { bringForward, type BroughtForward } from './forward.ts';
import { prepareMove } from './into.ts';
import { bytesOf, type Manifest } from './archive/manifest.ts';
import { readBackup } from './archive/read.ts';
import { readOnly, unpackInto, type Meter } from './unpack.ts';

export interface RestoreOptions {
  /** The backup. */
  readonly file: string;
  /** The folder of the restored server. It must be empty, or not exist yet. */
  readonly folder: string;
  /** Needed if the backup is encrypted. */
  readonly passphrase?: Secret | undefined;
  /** The file of the newest revocation list of this server, PEM: whoever was revoked after the backup stays so. */
  readonly crl?: string | undefined;
  /** Forget all API tokens. The next start prints a set-up token. */
  readonly newTokens: boolean;
  /** A database of PostgreSQL for everything but keys, certificates and artifacts. It must be empty. By default files. */
  readonly database?: DatabaseNote | undefined;
  /** Its password, instead of the one in the file that `database` names. */
  readonly password?: Secret | undefined;
  /** What is being done, and how much of how many bytes or rows. */
  readonly onProgress?: (doing: Doing, done: number, total: number) => void;
  /** Tells a person what is waited for. */
  readonly tell?: (what: string) => void;
}

type Doing = 'check' | 'write' | CopyPhase;

export interface RestorePorts {
  readonly clock: Clock;
  readonly random: Random;
}

export interface Restored extends BroughtForward {
  readonly manifest: Manifest;
}

/**
 * Restores a server. Writes nothing before the whole backup is checked. When this resolves, the folder is whole; when
 * it rejects, with BackupError or StoreError for what a user can mend, there is no folder.
 *
 * A database elsewhere is finished before the folder appears: a folder that leads to a database on which no server may
 * start would be of no use, and in the way of the next attempt. Where the folder then fails to appear, the
 * database can be dropped, as the refusal of the next attempt says: no number of it was ever used (P 5.1).
 *
 * Then it brings the server forward: every counter moves beyond what the old server can have sent (P 5.1), enrolment
 * codes are dropped (P 8.4), and revocations of the list are put in force (P 10.8).
 *
 * @example
 * const { devices, unclear } = await restoreBackup(
 *   { file: 'srup.backup', folder: '/var/lib/srup', crl: 'crl.pem', newTokens: false },
 *   { clock: systemClock, random: systemRandom },
 * );
 */
export async function restoreBackup(
  options: RestoreOptions,
  { clock, random }: RestorePorts,
): Promise<Restored> {
  const { file, folder, passphrase } = options;
  await refuseUsed(folder);
  const manifest = await readBackup(file, passphrase, (contents) =>
    readOnly(meterOf(options, 'check', contents)),
  );
  refuseFuture(manifest, clock);
  const move = await moveOf(options, manifest, clock);
  const parent = dirname(folder);
  await makeFolders(parent);
  await refuseFull(parent, manifest);
  const now = clock.now();
  const changed = await appearing(folder, async (work) => {
    await readBackup(file, passphrase, (contents) => unpackInto(work, meterOf(options, 'write', contents)));
    const forward = await bringForward(work, {
      crl: options.crl,
      newTokens: options.newTokens,
      backupOf: manifest.createdAt,
      now,
      jump: jumpAfter(now - manifest.createdAt, random),
      start: () => random.bytes(8),
    });
    // Whatever the backup holds, the server must not find the old one's database.
    await noteDatabases(work, move?.databases ?? filesIn(work));
    await move?.fill(work);
    return forward;
  });
  return { manifest, ...changed };
}

/**
 * Checks all of a backup and writes nothing. Rejects with BackupError.
 *
 * @example
 * const { serverId, createdAt, files } = await checkBackup('srup.backup', passphrase);
 */
export function checkBackup(file: string, passphrase?: Secret): Promise<Manifest> {
  return readBackup(file, passphrase, () => readOnly());
}

/** The way into a database elsewhere. Rejects when it is in use, before anything is written. */
async function moveOf(options: RestoreOptions, { serverId, createdAt }: Manifest, clock: Clock) {
  const { database, password, onProgress, tell = () => undefined } = options;
  if (database === undefined) return undefined;
  const databases = await databasesAt(database, password);
  const other = `the backup of ${new Date(createdAt).toISOString()}`;
  return prepareMove({ databases, server: serverId, other, at: clock.now(), onProgress, tell });
}

/** Fills a folder beside the one that is wanted, and moves it there when it is whole. */
async function appearing<Value>(folder: string, fill: (work: string) => Promise<Value>): Promise<Value> {
  const parent = dirname(folder);
  const work = await mkdtemp(join(parent, `.${basename(folder)}.`));
  try {
    const value = await fill(work);
    await rename(work, folder);
    await syncFolder(parent);
    return value;
  } catch (fault) {
    await rm(work, { recursive: true, force: true });
    throw fault;
  }
}

async function refuseUsed(folder: string): Promise<void> {
  const inside = await readdir(folder).catch((fault: unknown) => {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw fault;
  });
  if (inside.length === 0) return;
  throw new BackupError(`${folder} is not empty. Name a new folder: nothing is ever restored over a server.`);
}

/** The age of the backup decides how far the counters move, so the clock must be right. */
function refuseFuture({ createdAt }: Manifest, clock: Clock): void {
  if (clock.isTrusted() && clock.now() >= createdAt) return;
  throw new BackupError(
    `By the clock of this machine the backup is of the future (${new Date(createdAt).toISOString()}). Set the clock, then restore it.`,
  );
}

async function refuseFull(folder: string, manifest: Manifest): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const needed = bytesOf(manifest);
  if (bavail * bsize > needed) return;
  throw new BackupError(
    `The disk has no room for it: ${needed} bytes are needed in ${folder}. Make room there.`,
  );
}

function meterOf({ onProgress }: RestoreOptions, doing: Doing, manifest: Manifest): Meter {
  const total = bytesOf(manifest);
  let done = 0;
  return (bytes) => onProgress?.(doing, (done += bytes), total);
}
