/** Puts a server back from a backup, in a new folder, so that nothing it says contradicts what it said since. */
import { createWriteStream } from 'node:fs';
import { mkdtemp, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { makeFolders, makePrivateFolder, syncFolder, type Secret } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import { keyServiceMigrations, type KeyServiceTables } from '../keyservice/tables.ts';
import { serverMigrations } from '../store/server-migrations.ts';
import { noteRestore } from '../errands/restored.ts';
import type { TokenTables } from '../access/tokens.ts';
import { StoreError } from '../store/fault.ts';
import type { Migrations } from '../store/migrate.ts';
import type { Store } from '../store/port.ts';
import { checkSqlite, openSqlite } from '../store/sqlite/open.ts';
import type { FleetTables } from '../store/tables.ts';
import {
  certifiedDevices,
  dropApiTokens,
  dropCodes,
  dropOwed,
  jumpAfter,
  moveCounters,
  reserveCounters,
} from './ahead.ts';
import { readBackup, type FileEntry, type Manifest } from './archive.ts';
import { BackupError } from './fault.ts';
import { adoptCrl, revokeListed, type NewlyRevoked } from './revoked.ts';

const FLEET = 'server/fleet.db';
const NOBODY: NewlyRevoked = { revoked: [], unclear: [] };
const KEY_SERVICE = 'key-service/identities.sqlite';

export interface RestoreOptions {
  readonly file: string;
  /** Empty, or not there yet. */
  readonly folder: string;
  readonly passphrase?: Secret | undefined;
  /** The newest revocation list of this server, PEM: who was revoked after the backup stays so. */
  readonly crl?: string | undefined;
  /** Forget all API tokens; the next start prints a set-up token. */
  readonly newTokens: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** What is being done, and how much of how many bytes. */
  readonly onProgress?: (doing: 'check' | 'write', done: number, total: number) => void;
}

export interface Restored extends NewlyRevoked {
  readonly manifest: Manifest;
  /** When the revocation list was made, ms since 1970; absent without one. */
  readonly listedAt?: number;
  /** Devices whose counters were moved ahead. */
  readonly devices: number;
  readonly codesDropped: number;
  readonly tokensDropped: number;
}

/** The folder is there as a whole, or not at all. Rejects with BackupError; nothing is written before all is checked. */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { file, folder, passphrase, clock, random } = options;
  await refuseUsed(folder);
  const manifest = await readBackup(file, passphrase, (contents) => {
    const meter = meterOf(options, 'check', contents);
    return (_file, content) => readToEnd(content, meter);
  });
  const ageMs = clock.now() - manifest.createdAt;
  // The age decides how far the counters move.
  if (!clock.isTrusted() || ageMs < 0) {
    throw new BackupError(
      `By the clock of this machine the backup is of the future (${new Date(manifest.createdAt).toISOString()}). Set the clock, then restore it.`,
    );
  }
  const parent = dirname(folder);
  await makeFolders(parent);
  await refuseFull(parent, manifest);
  const work = await mkdtemp(join(parent, `.${basename(folder)}.`));
  try {
    await readBackup(file, passphrase, (contents) => {
      const meter = meterOf(options, 'write', contents);
      return (entry, content) => place(work, entry, content, meter);
    });
    const changed = await bringForward(work, manifest, options, jumpAfter(ageMs, random));
    await rename(work, folder);
    await syncFolder(parent);
    return { manifest, ...changed };
  } catch (fault) {
    await rm(work, { recursive: true, force: true });
    throw fault;
  }
}

async function readToEnd(content: AsyncIterable<Uint8Array>, meter: (bytes: number) => void): Promise<void> {
  for await (const chunk of content) meter(chunk.length);
}

async function refuseUsed(folder: string): Promise<void> {
  const inside = await readdir(folder).catch((fault: unknown) => {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw fault;
  });
  if (inside.length === 0) return;
  throw new BackupError(`${folder} is not empty. Name a new folder: nothing is ever restored over a server.`);
}

async function refuseFull(folder: string, { files }: Manifest): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const needed = files.reduce((sum, { bytes }) => sum + bytes, 0);
  if (bavail * bsize > needed) return;
  throw new BackupError(
    `The disk has no room for it: ${needed} bytes are needed in ${folder}. Make room there.`,
  );
}

function meterOf(
  { onProgress }: RestoreOptions,
  doing: 'check' | 'write',
  { files }: Manifest,
): (bytes: number) => void {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  return (bytes) => onProgress?.(doing, (done += bytes), total);
}

async function place(
  work: string,
  { path }: FileEntry,
  content: AsyncIterable<Uint8Array>,
  meter: (bytes: number) => void,
): Promise<void> {
  const to = join(work, path);
  await makePrivateFolder(dirname(to));
  const target = createWriteStream(to, { flags: 'wx', mode: 0o600 });
  const counted = Readable.from(content).on('data', (chunk: Uint8Array) => {
    meter(chunk.length);
  });
  await pipeline(counted, target);
  const handle = await open(to, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncFolder(dirname(to));
}

/** In the folder that nobody uses yet. */
async function bringForward(
  work: string,
  manifest: Manifest,
  { crl, newTokens, clock, random }: RestoreOptions,
  jump: bigint,
): Promise<Omit<Restored, 'manifest'>> {
  const list = await adoptCrl(work, crl);
  // The backup may be of an older version: opening brings it up to date.
  await using keyService = closing(
    await openChecked<KeyServiceTables>(join(work, KEY_SERVICE), keyServiceMigrations),
  );
  await using fleet = closing(
    await openChecked<FleetTables & TokenTables>(join(work, FLEET), serverMigrations),
  );
  const now = clock.now();
  const { codesDropped, since } = await keyService.commit(async (write) => ({
    codesDropped: await dropCodes(write),
    since: list === undefined ? NOBODY : await revokeListed(write, list, now),
  }));
  const certified = await certifiedDevices(keyService.read);
  const starts = certified.map(() => random.bytes(8));
  const { devices, tokensDropped } = await fleet.commit(async (write) => {
    await dropOwed(write, since.revoked);
    const moved = await moveCounters(write, jump);
    await reserveCounters(write, certified, starts);
    await noteRestore(write, { at: now, backupOf: manifest.createdAt, revoked: since.revoked });
    return { devices: moved, tokensDropped: newTokens ? await dropApiTokens(write) : 0 };
  });
  if (newTokens) await rm(join(work, 'server', 'setup-token.used'), { force: true });
  const listed = list === undefined ? {} : { listedAt: Number(list.number) };
  return { devices, codesDropped, tokensDropped, ...since, ...listed };
}

async function openChecked<Tables>(file: string, migrations: Migrations): Promise<Store<Tables>> {
  try {
    checkSqlite(file, migrations);
    return await openSqlite<Tables>(file, migrations);
  } catch (fault) {
    if (!(fault instanceof StoreError)) throw fault;
    throw new BackupError(`${fault.message} Use another backup.`);
  }
}

function closing<Tables>(store: Store<Tables>): Store<Tables> & AsyncDisposable {
  return { ...store, [Symbol.asyncDispose]: () => store.close() };
}

/** Checks all of a backup and writes nothing. Rejects with BackupError. */
export function checkBackup(file: string, passphrase?: Secret): Promise<Manifest> {
  return readBackup(file, passphrase, () => (_file, content) => readToEnd(content, () => undefined));
}
