import { hash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDigest } from '@srup/protocol';
import { DATABASE_NOTE } from '../store/databases.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { openSqliteReadOnly } from '../store/sqlite/open.ts';
import { VERSION } from '../version.ts';
import { FORMAT, isPackable, type FileEntry, type Manifest } from './archive/manifest.ts';
import { copyDatabases, type DatabaseCopies } from './databases.ts';
import { ARTIFACTS, CORE_DATABASE, isDatabase, MARKER, PARTS } from './places.ts';

/** SQLite's side files. Their content is in the copies. */
const SIDE_FILE = /-(wal|shm|journal)$/;

/** What goes into a backup. */
export interface Collected {
  readonly manifest: Manifest;
  /** Digests of artifacts that the database lists and the folder does not have. */
  readonly missing: readonly string[];
  /** Keys, certificates and settings, by path. They are copied to no other disk in clear. */
  readonly small: ReadonlyMap<string, Uint8Array>;
}

export interface Wish extends DatabaseCopies {
  readonly withArtifacts: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Lists everything that goes into a backup, and takes what can change: the databases into the folder `copies`. */
export async function collect(wish: Wish, copies: string): Promise<Collected> {
  const { folder, withArtifacts, now } = wish;
  // Before the databases: a set-up token that is used up later stays unused here, and locks nobody out.
  const { small, entries } = await collectSmall(folder);
  const databases = await copyDatabases(wish, copies);
  // After them: what the database lists has its file, unless it was removed in this moment.
  const wanted = withArtifacts ? await listedArtifacts(join(copies, CORE_DATABASE)) : [];
  const { found, missing } = await findArtifacts(folder, wanted);
  const serverId = (await readFile(join(folder, 'server', 'identity'), 'utf8')).trim();
  const files = [...entries, ...databases, ...found];
  const manifest = {
    format: FORMAT,
    version: VERSION,
    serverId,
    createdAt: now,
    files,
    withArtifacts,
  } as const;
  return { manifest, missing, small };
}

async function collectSmall(folder: string) {
  const entries: FileEntry[] = [];
  const small = new Map<string, Uint8Array>();
  for (const path of await listSmall(folder)) {
    // Whoever changes one of them writes it as a whole.
    const content = await readFile(join(folder, path));
    small.set(path, content);
    entries.push({ path, bytes: content.length, sha256: hash('sha256', content, 'hex') });
  }
  return { small, entries };
}

async function findArtifacts(folder: string, digests: readonly string[]) {
  const found: FileEntry[] = [];
  const missing: string[] = [];
  for (const digest of digests) {
    const file = await stat(join(folder, ARTIFACTS, digest)).catch(() => undefined);
    if (file === undefined) missing.push(digest);
    else found.push({ path: `${ARTIFACTS}/${digest}`, bytes: file.size, sha256: digest });
  }
  return { found, missing };
}

/** The server's files without databases, locks, files that are half written, and files of others. */
async function listSmall(folder: string): Promise<string[]> {
  const found = [MARKER];
  for (const part of PARTS) {
    const entries = await readdir(join(folder, part), { withFileTypes: true }).catch(noneIfAbsent);
    for (const entry of entries) {
      const path = `${part}/${entry.name}`;
      if (entry.isFile() && isPackable(path) && !isElsewhere(path)) found.push(path);
    }
  }
  return found.sort();
}

/** Tells whether the backup has the content in another file, or must not have it: it would lead to the old database. */
function isElsewhere(path: string): boolean {
  return isDatabase(path) || SIDE_FILE.test(path) || path === DATABASE_NOTE;
}

function noneIfAbsent(fault: NodeJS.ErrnoException): [] {
  if (fault.code === 'ENOENT') return [];
  throw fault;
}

async function listedArtifacts(database: string): Promise<string[]> {
  const copy = openSqliteReadOnly<CoreTables>(database);
  try {
    const rows = await copy.read.selectFrom('artifacts').select('digest').orderBy('digest').execute();
    return rows.map(({ digest }) => digest).filter(isDigest);
  } finally {
    await copy.close();
  }
}
