/** Moves all that a stopped server knows to another database, and the server with it. */
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FolderLockedError, lockFolder, type FolderLock, type Secret } from '@srup/node';
import { toHex, type Clock, type Random } from '@srup/protocol';
import { findCopyNote, refuseCopied, writeCopyNote, type CopyNote } from '../store/copied.ts';
import {
  databasesAt,
  filesIn,
  findDatabases,
  isSamePlace,
  noteDatabases,
  type DatabaseNote,
  type Databases,
} from '../store/databases.ts';
import { StoreError } from '../store/fault.ts';
import { shownPlace } from '../store/open.ts';
import { copyAll, type Copied, type CopyMeter, type Target } from './copy.ts';
import { holdingAt, openBoth, openTarget } from './target.ts';

/** Where files are until they are whole. */
const WORK = '.copy';

/** A database of PostgreSQL, or files in the server's folder. */
export type DatabaseWish = DatabaseNote | 'sqlite';

export interface MoveOptions {
  /** The server's folder. */
  readonly folder: string;
  readonly to: DatabaseWish;
  /** Where the person believes that everything is. */
  readonly from?: DatabaseWish | undefined;
  /** The password of that database, instead of the one in the file that `to` names. */
  readonly password?: Secret | undefined;
  /** The password of the database that the server has, when the folder names no file with it. */
  readonly passwordNow?: Secret | undefined;
  readonly onProgress?: CopyMeter | undefined;
  /** Tells a person what is waited for. */
  readonly tell: (what: string) => void;
}

export interface MovePorts {
  readonly clock: Clock;
  readonly random: Pick<Random, 'bytes'>;
}

export interface Moved {
  /** Where everything was, and where it is now, for people. */
  readonly from: string;
  readonly to: string;
  /** Undefined: an earlier run had copied everything, and this one only finished it. */
  readonly copied: Copied | undefined;
}

interface Ends {
  readonly folder: string;
  readonly from: Databases;
  readonly to: Databases;
}

/**
 * Copies everything to another database, checks the copy, and makes the folder name that one: the next start uses it.
 * The source stays as it is, and no server starts on it again. Rejects with `StoreError` for what a person must mend.
 *
 * When it is broken off, at any instant, the folder still names the source, or everything is done. Run it again then.
 *
 * @example
 * await moveServer({ folder: '/var/lib/srup', to: { url: 'postgres://srup@db.example/srup' }, tell }, { clock, random });
 */
export async function moveServer(options: MoveOptions, ports: MovePorts): Promise<Moved> {
  const { folder, password, passwordNow } = options;
  const server = await identityIn(folder);
  const lock = await lockStopped(folder);
  try {
    const ends = {
      folder,
      from: await findDatabases(folder, passwordNow),
      to: await databasesFor(folder, options.to, password),
    };
    if (options.from !== undefined)
      refuseMistaken(ends.from, await databasesFor(folder, options.from, passwordNow));
    await refuseUseless(ends);
    const copied = await move(ends, server, options, ports);
    return { from: shownDatabases(ends.from), to: shownDatabases(ends.to), copied };
  } finally {
    await rm(join(folder, WORK), { recursive: true, force: true });
    await lock.release();
  }
}

/** Names both databases of a server for people. */
export function shownDatabases({ core, note }: Databases): string {
  return note === undefined && core.kind === 'sqlite' ? 'SQLite files in the folder' : shownPlace(core);
}

async function move(
  ends: Ends,
  server: string,
  { onProgress, tell }: MoveOptions,
  { clock, random }: MovePorts,
): Promise<Copied | undefined> {
  const { folder, from, to } = ends;
  await using source = await openBoth(from, tell);
  const left = await findCopyNote(source.core);
  if (left?.state === 'unfinished') refuseCopied(JSON.stringify(left), shownPlace(from.core));
  if (left?.state === 'moved' && (await isFinished(to, left))) {
    await noteDatabases(folder, to);
    return undefined;
  }
  const note = { copy: toHex(random.bytes(8)), server, at: clock.now() };
  const begun: CopyNote = { ...note, state: 'unfinished', other: shownDatabases(from) };
  const work = join(folder, WORK);
  await rm(work, { recursive: true, force: true }); // of a copy that was killed
  const target = await openTarget({ databases: to, note: begun, work, mayReplace: true, tell });
  let copied: Copied;
  try {
    copied = await copyAll({ core: source.core.read, keys: source.keys.read }, target, onProgress);
  } finally {
    await target[Symbol.asyncDispose]();
  }
  await target.settle();
  // From here on no server starts on the source, and none on the copy before the source is out of its reach.
  await leaveNote(source, { ...note, state: 'moved', other: shownDatabases(to) });
  await finishCopy(to, { ...begun, state: 'finished' }, tell);
  await noteDatabases(folder, to);
  return copied;
}

/** Lets servers use a copy. */
export async function finishCopy(
  databases: Databases,
  note: CopyNote,
  tell: (what: string) => void,
): Promise<void> {
  await using target = await openBoth(databases, tell);
  await leaveNote(target, note);
}

/** The core comes last: what its note says holds for both. */
async function leaveNote({ core, keys }: Target, note: CopyNote): Promise<void> {
  await keys.commit((write) => writeCopyNote(write, note));
  await core.commit((write) => writeCopyNote(write, note));
}

/**
 * Tells whether an earlier run did everything but the last step. A server may have used the copy then. Throws
 * `StoreError` when that run led elsewhere: what is there may be newer.
 */
async function isFinished(to: Databases, moved: CopyNote): Promise<boolean> {
  if (moved.other !== shownDatabases(to)) {
    throw new StoreError(
      `What this server knows was moved to ${moved.other} before. Finish that first: run the same command with that database.`,
    );
  }
  const { note } = await holdingAt(to.core);
  return note?.state === 'finished' && note.copy === moved.copy;
}

async function identityIn(folder: string): Promise<string> {
  const text = await readFile(join(folder, 'server', 'identity'), 'utf8').catch((fault: unknown) => {
    if ((fault as NodeJS.ErrnoException).code !== 'ENOENT') throw fault;
    throw new StoreError(`${folder} holds no server. Name the folder of one with --folder.`);
  });
  return text.trim();
}

async function lockStopped(folder: string): Promise<FolderLock> {
  try {
    return await lockFolder(folder);
  } catch (fault) {
    if (!(fault instanceof FolderLockedError)) throw fault;
    throw new StoreError(`The server runs: ${fault.message}. Stop it first.`);
  }
}

async function databasesFor(
  folder: string,
  wish: DatabaseWish,
  password: Secret | undefined,
): Promise<Databases> {
  return wish === 'sqlite' ? filesIn(folder) : databasesAt(wish, password);
}

function refuseMistaken(from: Databases, believed: Databases): void {
  if (isSamePlace(from, believed)) return;
  throw new StoreError(
    `What this server knows is not there. It is here: ${shownDatabases(from)}. Name that place with --from, or leave --from out.`,
  );
}

async function refuseUseless({ folder, from, to }: Ends): Promise<void> {
  if (isSamePlace(from, to))
    throw new StoreError(
      `What this server knows is there already: ${shownDatabases(to)}. Nothing is to be done.`,
    );
  if (from.core.kind === 'sqlite' && !(await isThere(from.core.file))) {
    throw new StoreError(
      `The server in ${folder} has not stored anything yet. Start it on the new database: srup up --database URL.`,
    );
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
