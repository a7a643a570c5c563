/** Makes a backup of a server's folder, whether the server runs or not. */
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createHash, randomUUID } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  FolderLockedError,
  lockFolder,
  makePrivateFolder,
  sha256File,
  syncFolder,
  type FolderLock,
  type Secret,
} from '@srup/node';
import { isDigest } from '@srup/protocol';
import { VAULT_FOLDERS } from '../vault/vault.ts';
import { VERSION } from '../version.ts';
import { isPackable, packBackup, type FileEntry, type Manifest } from './archive.ts';
import { BackupError } from './fault.ts';
import type { ArtifactTables } from '../artifacts/tables.ts';
import { openSqliteReadOnly } from '../store/sqlite/open.ts';
import { holdDatabases, type Snapshots } from '../store/sqlite/snapshot.ts';

/**
 * In this order: what the core did needs the key service to know at least as much. A device of the core is then an
 * identity of the key service, and a revocation that only one of them knows is the core's, which orders it again.
 */
const DATABASES = ['server/fleet.db', 'key-service/identities.sqlite'] as const;
/** The server's own, and the configuration of its broker; others may keep things beside them. */
const PARTS = [...VAULT_FOLDERS, 'mosquitto'] as const;
const MARKER = 'vault.json';
/** SQLite's side files; their content is in the copies. */
const SIDE_FILE = /-(wal|shm|journal)$/;
const ARTIFACTS = 'artifacts';

export interface BackupOptions {
  /** The server's. */
  readonly folder: string;
  /** Must not exist. */
  readonly file: string;
  readonly withArtifacts: boolean;
  readonly passphrase?: Secret | undefined;
  /** Ms since 1970. */
  readonly now: number;
  /** Bytes of the content that were packed, and that there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface BackupMade {
  readonly manifest: Manifest;
  /** Of the file. */
  readonly bytes: number;
  readonly sha256: string;
  /** Digests of artifacts that the database lists and the folder has not. */
  readonly missing: readonly string[];
}

/** The file is there as a whole, on the disk and for its owner alone, or not at all. Rejects with BackupError. */
export async function createBackup(options: BackupOptions): Promise<BackupMade> {
  const { folder, file, passphrase } = options;
  await checkSource(folder);
  if (await isThere(file))
    throw new BackupError(`${file} is there already. Choose another name, or remove it.`);
  // In the server's folder, where nobody reads them who may not read the originals.
  const work = join(folder, '.backup');
  const lock = await lockWork(work);
  const copies = join(work, 'copies');
  const packed = join(dirname(file), `.${basename(file)}.${randomUUID()}`);
  try {
    await rm(copies, { recursive: true, force: true }); // of a backup that was killed
    const { manifest, missing, small } = await collect(options, copies);
    const total = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
    let done = 0;
    const contentOf = ({ path }: FileEntry): AsyncIterable<Uint8Array> => {
      const content = small.get(path);
      const place = isDatabase(path) ? copies : folder;
      const source = content === undefined ? createReadStream(join(place, path)) : Readable.from([content]);
      return source.on('data', (chunk: Uint8Array) => options.onProgress?.((done += chunk.length), total));
    };
    const made = await writeDurably(packBackup(manifest, contentOf, passphrase), packed);
    await rename(packed, file);
    await syncFolder(dirname(file));
    return { manifest, missing, ...made };
  } finally {
    await rm(packed, { force: true });
    await rm(copies, { recursive: true, force: true });
    await lock.release();
  }
}

async function lockWork(work: string): Promise<FolderLock> {
  await makePrivateFolder(work);
  try {
    return await lockFolder(work);
  } catch (fault) {
    if (!(fault instanceof FolderLockedError)) throw fault;
    throw new BackupError(`Another backup of this server is being made: ${fault.message}. Wait for its end.`);
  }
}

async function checkSource(folder: string): Promise<void> {
  if (!(await isThere(join(folder, MARKER)))) {
    throw new BackupError(`${folder} holds no server. Name the folder of one with --folder.`);
  }
  // Somebody else's side files beside the database would keep the server from its own.
  const { uid } = await stat(folder);
  const self = process.getuid?.() ?? uid;
  if (self !== uid) {
    throw new BackupError(
      `${folder} belongs to the user ${uid}, and this is the user ${self}. Run this as that user: sudo -u '#${uid}' ...`,
    );
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function isDatabase(path: string): boolean {
  return (DATABASES as readonly string[]).includes(path);
}

interface Collected {
  readonly manifest: Manifest;
  readonly missing: readonly string[];
  /** Keys, certificates, settings by path: on no disk but the one they are on. */
  readonly small: ReadonlyMap<string, Uint8Array>;
}

/** Takes what can change, the databases into `copies`, and lists everything. */
async function collect({ folder, withArtifacts, now }: BackupOptions, copies: string): Promise<Collected> {
  const files: FileEntry[] = [];
  const small = new Map<string, Uint8Array>();
  // Before the databases: a set-up token that is used up later stays unused here, and locks nobody out.
  for (const path of await listSmall(folder)) {
    // Each is written as a whole by whoever changes it.
    const content = await readFile(join(folder, path));
    small.set(path, content);
    files.push({ path, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') });
  }
  const snapshots = holdDatabases(DATABASES.map((path) => join(folder, path)));
  try {
    for (const path of DATABASES) files.push(await copyDatabase(folder, path, copies, snapshots));
  } finally {
    snapshots.close();
  }
  // After them: what the database lists has its file, unless it was removed in this moment.
  const wanted = withArtifacts ? await listedArtifacts(join(copies, DATABASES[0])) : [];
  const missing: string[] = [];
  for (const digest of wanted) {
    const found = await stat(join(folder, ARTIFACTS, digest)).catch(() => undefined);
    if (found === undefined) missing.push(digest);
    else files.push({ path: `${ARTIFACTS}/${digest}`, bytes: found.size, sha256: digest });
  }
  const serverId = (await readFile(join(folder, 'server', 'identity'), 'utf8')).trim();
  const manifest = { format: 1, version: VERSION, serverId, createdAt: now, files, withArtifacts } as const;
  return { manifest, missing, small };
}

/** The server's files but databases, locks, what is half written, and what somebody else put there. */
async function listSmall(folder: string): Promise<string[]> {
  const found = [MARKER];
  for (const part of PARTS) {
    const entries = await readdir(join(folder, part), { withFileTypes: true }).catch(noneIfAbsent);
    for (const entry of entries) {
      const path = `${part}/${entry.name}`;
      if (entry.isFile() && isPackable(path) && !isDatabase(path) && !SIDE_FILE.test(path)) found.push(path);
    }
  }
  return found.sort();
}

function noneIfAbsent(fault: NodeJS.ErrnoException): [] {
  if (fault.code === 'ENOENT') return [];
  throw fault;
}

async function copyDatabase(
  folder: string,
  path: string,
  copies: string,
  snapshots: Snapshots,
): Promise<FileEntry> {
  const to = join(copies, path);
  await makePrivateFolder(dirname(to));
  await snapshots.copy(join(folder, path), to);
  await chmod(to, 0o600);
  return { path, bytes: (await stat(to)).size, sha256: await sha256File(to) };
}

async function listedArtifacts(database: string): Promise<string[]> {
  const copy = openSqliteReadOnly<ArtifactTables>(database);
  try {
    const rows = await copy.read.selectFrom('artifacts').select('digest').orderBy('digest').execute();
    return rows.map(({ digest }) => digest).filter(isDigest);
  } finally {
    await copy.close();
  }
}

async function writeDurably(source: Readable, path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(source, meter, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}
