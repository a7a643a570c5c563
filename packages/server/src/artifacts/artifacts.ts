import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { makePrivateFolder, syncFolder } from '@srup/node';
import { isDigest, type Caller, type Clock } from '@srup/protocol';
import { PROGRAM } from '../api/callers.ts';
import { appendAudit } from '../audit/append.ts';
import type { AuditTables } from '../audit/tables.ts';
import { FleetError } from '../api/faults.ts';
import type { ArtifactView } from '../api/forms/artifacts.ts';
import type { Page, PageQuery } from '../api/forms/pages.ts';
import type { ArtifactTables } from './tables.ts';
import type { Store } from '../store/port.ts';

/** Bytes of one artifact, unless configured. */
export const DEFAULT_ARTIFACT_LIMIT = 4 * 2 ** 30;
/** Rows of a page, unless asked for fewer. */
const PAGE_ROWS = 100;

export interface Upload {
  readonly content: AsyncIterable<Uint8Array>;
  readonly name: string;
  readonly version?: string | undefined;
  /** What the uploader expects: another content is refused. */
  readonly digest?: string | undefined;
  /** Who uploads, for the audit trail; by default the program that runs the server. */
  readonly by?: Caller;
}

export interface StoredFile {
  readonly path: string;
  readonly bytes: number;
}

export interface Artifacts {
  /** Rejects with `FleetError` when the file is not taken; nothing of it is kept. */
  add(upload: Upload): Promise<ArtifactView>;
  list(query: PageQuery & { readonly search?: string | undefined }): Promise<Page<ArtifactView>>;
  find(digest: string): Promise<ArtifactView | undefined>;
  /** The file of a digest, to be served. Undefined when there is none. */
  file(digest: string): Promise<StoredFile | undefined>;
  /** Removes what the list shows and the file; false when there was nothing. */
  remove(digest: string, by?: Caller): Promise<boolean>;
}

/** Files by their SHA-256: one content is stored once and its name can't lie. */
export async function openArtifacts(
  folder: string,
  store: Store<ArtifactTables & AuditTables>,
  clock: Clock,
  limit = DEFAULT_ARTIFACT_LIMIT,
): Promise<Artifacts> {
  const incoming = join(folder, 'incoming');
  // What a killed upload left behind.
  await rm(incoming, { recursive: true, force: true });
  await makePrivateFolder(folder);
  await makePrivateFolder(incoming);

  async function add(upload: Upload): Promise<ArtifactView> {
    const partial = join(incoming, randomUUID());
    try {
      const { digest, bytes } = await receive(upload.content, partial, limit);
      if (upload.digest !== undefined && upload.digest !== digest) {
        throw new FleetError('digest-mismatch', `the file has the digest ${digest}, not ${upload.digest}`);
      }
      await rename(partial, join(folder, digest));
      await syncFolder(folder);
      const row = {
        digest,
        bytes,
        name: upload.name,
        version: upload.version ?? null,
        uploaded_at: clock.now(),
      };
      await store.commit(async (transaction) => {
        await transaction
          .insertInto('artifacts')
          .values(row)
          .onConflict((conflict) =>
            conflict.column('digest').doUpdateSet({ name: row.name, version: row.version }),
          )
          .execute();
        const { name, version, by = PROGRAM } = upload;
        const body = {
          change: 'added',
          digest,
          name,
          ...(version !== undefined && { version }),
          by,
        } as const;
        await appendAudit(transaction, { kind: 'artifact', at: row.uploaded_at, body });
      });
      return view(row);
    } catch (error) {
      await rm(partial, { force: true });
      throw (error as NodeJS.ErrnoException).code === 'ENOSPC'
        ? new FleetError('no-space', 'the disk is full: make room and upload the file again')
        : error;
    }
  }

  async function list(
    query: PageQuery & { readonly search?: string | undefined },
  ): Promise<Page<ArtifactView>> {
    const limitRows = query.limit ?? PAGE_ROWS;
    let rows = store.read
      .selectFrom('artifacts')
      .selectAll()
      .orderBy('uploaded_at', 'desc')
      .orderBy('digest')
      .limit(limitRows + 1);
    if (query.search !== undefined) {
      const part = query.search.toLowerCase();
      rows = rows.where((where) =>
        where.or(
          (['name', 'version', 'digest'] as const).map((column) =>
            where(sql<number>`instr(lower(${sql.ref(column)}), ${part})`, '>', 0),
          ),
        ),
      );
    }
    const offset = placeOf(query.cursor);
    const found = await rows.offset(offset).execute();
    const page = found.slice(0, limitRows).map(view);
    return found.length > limitRows ? { rows: page, next: String(offset + limitRows) } : { rows: page };
  }

  async function find(digest: string): Promise<ArtifactView | undefined> {
    const row = await store.read
      .selectFrom('artifacts')
      .selectAll()
      .where('digest', '=', digest)
      .executeTakeFirst();
    return row && view(row);
  }

  async function file(digest: string): Promise<StoredFile | undefined> {
    // The name becomes a path: nothing but a digest gets that far.
    if (!isDigest(digest)) return undefined;
    const path = join(folder, digest);
    const found = await stat(path).catch(() => undefined);
    return found?.isFile() === true ? { path, bytes: found.size } : undefined;
  }

  async function remove(digest: string, by: Caller = PROGRAM): Promise<boolean> {
    if (!isDigest(digest)) return false;
    const isRemoved = await store.commit(async (transaction) => {
      const { numDeletedRows } = await transaction
        .deleteFrom('artifacts')
        .where('digest', '=', digest)
        .executeTakeFirst();
      if (numDeletedRows === 0n) return false;
      const body = { change: 'removed', digest, by } as const;
      await appendAudit(transaction, { kind: 'artifact', at: clock.now(), body });
      return true;
    });
    await rm(join(folder, digest), { force: true });
    return isRemoved;
  }

  return { add, list, find, file, remove };
}

function placeOf(cursor = '0'): number {
  if (!/^\d{1,9}$/.test(cursor)) throw new FleetError('invalid', 'the cursor is not one that was given');
  return Number(cursor);
}

/** Streams to a new file, hashing what is written; the file is on the disk when this resolves. */
async function receive(
  content: AsyncIterable<Uint8Array>,
  path: string,
  limit: number,
): Promise<{ digest: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const file: FileHandle = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of content) {
      bytes += chunk.length;
      if (bytes > limit) throw new FleetError('too-large', `an artifact has at most ${limit} bytes`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    if (bytes === 0) throw new FleetError('empty', 'the file is empty: there is nothing to install');
    await file.sync();
  } finally {
    await file.close();
  }
  return { digest: hash.digest('hex'), bytes };
}

function view(row: ArtifactTables['artifacts']): ArtifactView {
  const { digest, bytes, name, version } = row;
  return { digest, bytes, name, uploadedAt: row.uploaded_at, ...(version === null ? {} : { version }) };
}
