/** Makes a backup of a server's folder, whether the server runs or not. */
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, mkdtemp, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { makePrivateFolder, sha256File, syncFolder, type Secret } from '@srup/node';
import { isDigest } from '@srup/protocol';
import { VERSION } from '../version.ts';
import { packBackup, type FileEntry, type Manifest } from './archive.ts';
import { BackupError } from './fault.ts';
import { holdDatabases, type Snapshots } from './snapshot.ts';

/**
 * In this order: what the core did needs the key service to know at least as much. A device of the core is then an
 * identity of the key service, and a revocation that only one of them knows is the core's, which orders it again.
 */
const DATABASES = ['server/fleet.db', 'key-service/identities.sqlite'] as const;
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
  const work = await mkdtemp(join(dirname(file), `.${basename(file)}.`));
  try {
    const { manifest, missing } = await collect(options, work);
    const total = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
    let done = 0;
    const contentOf = (entry: FileEntry): AsyncIterable<Uint8Array> => {
      const source = createReadStream(join(isCopied(entry.path) ? work : folder, entry.path));
      return source.on('data', (chunk) => options.onProgress?.((done += chunk.length), total));
    };
    const packed = join(work, 'packed');
    const made = await writeDurably(packBackup(manifest, contentOf, passphrase), packed);
    await rename(packed, file);
    await syncFolder(dirname(file));
    return { manifest, missing, ...made };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function checkSource(folder: string): Promise<void> {
  if (!(await isThere(join(folder, 'vault.json')))) {
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

function isCopied(path: string): boolean {
  return !path.startsWith(`${ARTIFACTS}/`);
}

/** Copies what can change into `work`, and lists everything. */
async function collect(
  { folder, withArtifacts, now }: BackupOptions,
  work: string,
): Promise<{ manifest: Manifest; missing: string[] }> {
  const files: FileEntry[] = [];
  const { databases, others } = await listFolder(folder);
  // Before the databases: a set-up token that is used up later stays unused here, and locks nobody out.
  for (const path of others) files.push(await copySmall(folder, path, work));
  const snapshots = holdDatabases(databases.map((path) => join(folder, path)));
  try {
    for (const path of databases) files.push(await copyDatabase(folder, path, work, snapshots));
  } finally {
    snapshots.close();
  }
  // After them: what the database lists has its file, unless it was removed in this moment.
  const wanted = withArtifacts ? await listedArtifacts(join(work, DATABASES[0])) : [];
  const missing: string[] = [];
  for (const digest of wanted) {
    const found = await stat(join(folder, ARTIFACTS, digest)).catch(() => undefined);
    if (found === undefined) missing.push(digest);
    else files.push({ path: `${ARTIFACTS}/${digest}`, bytes: found.size, sha256: digest });
  }
  const serverId = (await readFile(join(work, 'server/identity'), 'utf8')).trim();
  const manifest = { format: 1, version: VERSION, serverId, createdAt: now, files, withArtifacts } as const;
  return { manifest, missing };
}

/** Everything in the folder but artifacts, locks, side files of databases and what is half written. */
async function listFolder(folder: string): Promise<{ databases: string[]; others: string[] }> {
  const all = await walk(folder, '');
  const known: readonly string[] = DATABASES;
  const databases = [...known, ...all.filter((path) => /\.(db|sqlite)$/.test(path) && !known.includes(path))];
  return { databases, others: all.filter((path) => !databases.includes(path)) };
}

async function walk(folder: string, below: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.name.startsWith('.') || SIDE_FILE.test(entry.name) || path === ARTIFACTS) continue;
    if (entry.isDirectory()) found.push(...(await walk(folder, path)));
    else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

/** Keys, certificates, settings: each is written as a whole by whoever changes it. */
async function copySmall(folder: string, path: string, work: string): Promise<FileEntry> {
  const content = await readFile(join(folder, path));
  await writeDurably(Readable.from([content]), await roomFor(work, path));
  return { path, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

async function copyDatabase(
  folder: string,
  path: string,
  work: string,
  snapshots: Snapshots,
): Promise<FileEntry> {
  const to = await roomFor(work, path);
  await snapshots.copy(join(folder, path), to);
  await chmod(to, 0o600);
  return { path, bytes: (await stat(to)).size, sha256: await sha256File(to) };
}

async function roomFor(work: string, path: string): Promise<string> {
  const to = join(work, path);
  await makePrivateFolder(dirname(to));
  return to;
}

async function listedArtifacts(database: string): Promise<string[]> {
  const copy = new DatabaseSync(database, { readOnly: true });
  try {
    const rows = copy.prepare('select digest from artifacts order by digest').all() as { digest: string }[];
    return rows.map(({ digest }) => digest).filter(isDigest);
  } finally {
    copy.close();
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
