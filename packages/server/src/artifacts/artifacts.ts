import { randomUUID } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makePrivateFolder, syncFolder } from '@srup/node';
import { isDigest, type Caller, type Clock } from '@srup/protocol';
import { PROGRAM } from '../api/callers.ts';
import { FleetError } from '../api/faults.ts';
import type { ArtifactView } from '../api/forms/artifacts.ts';
import type { Page } from '../api/forms/pages.ts';
import type { Store } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { addRow, findRow, listRows, removeRow, viewArtifact, type ArtifactQuery } from './catalogue.ts';
import { receive } from './receive.ts';

/** Bytes of one artifact by default. */
const DEFAULT_LIMIT_BYTES = 4 * 2 ** 30;

export interface Upload {
  readonly content: AsyncIterable<Uint8Array>;
  readonly name: string;
  readonly version?: string | undefined;
  /** The SHA-256 that the uploader expects. Other content is refused. */
  readonly digest?: string | undefined;
  /** Who uploads, for the audit trail; by default the program that runs the server. */
  readonly by?: Caller;
}

export interface StoredFile {
  readonly path: string;
  readonly bytes: number;
}

/** Files that devices can fetch, by their SHA-256: one content is stored once, and its name can't lie. */
export interface Artifacts {
  /**
   * Stores a file. Rejects with `FleetError` of the kind `too-large`, `empty`, `digest-mismatch` or `no-space`. Nothing
   * of a refused upload is kept.
   */
  add(upload: Upload): Promise<ArtifactView>;
  list(query: ArtifactQuery): Promise<Page<ArtifactView>>;
  find(digest: string): Promise<ArtifactView | undefined>;
  /** Finds the file of a digest, so that it can be served. */
  file(digest: string): Promise<StoredFile | undefined>;
  /** Removes the file and its row. False: the list had none of this digest. */
  remove(digest: string, by?: Caller): Promise<boolean>;
}

export interface ArtifactOptions {
  readonly folder: string;
  /** The most bytes of one artifact; by default 4 GiB. */
  readonly limitBytes?: number;
}

export interface ArtifactPorts {
  readonly store: Store<CoreTables>;
  readonly clock: Pick<Clock, 'now'>;
}

/**
 * Opens the artifacts in a folder, and makes the folder if there is none. Removes what a killed upload left behind.
 *
 * @example
 * const artifacts = await openArtifacts({ folder: '/var/lib/srup/artifacts' }, { store, clock });
 * const { digest } = await artifacts.add({ content: createReadStream('app.tar'), name: 'app', version: '2.1' });
 */
export async function openArtifacts(
  { folder, limitBytes = DEFAULT_LIMIT_BYTES }: ArtifactOptions,
  { store, clock }: ArtifactPorts,
): Promise<Artifacts> {
  const incoming = join(folder, 'incoming');
  await rm(incoming, { recursive: true, force: true });
  await makePrivateFolder(folder);
  await makePrivateFolder(incoming);

  async function add(upload: Upload): Promise<ArtifactView> {
    const partial = join(incoming, randomUUID());
    try {
      const received = await receive(upload.content, partial, limitBytes);
      const { digest } = received;
      if (upload.digest !== undefined && upload.digest !== digest) {
        throw new FleetError('digest-mismatch', `the file has the digest ${digest}, not ${upload.digest}`);
      }
      await rename(partial, join(folder, digest));
      await syncFolder(folder);
      const { name, version = null, by = PROGRAM } = upload;
      const row = { ...received, name, version, uploaded_at: clock.now() };
      await store.commit((write) => addRow(write, row, by));
      return viewArtifact(row);
    } catch (error) {
      await rm(partial, { force: true });
      throw (error as NodeJS.ErrnoException).code === 'ENOSPC'
        ? new FleetError('no-space', 'the disk is full: make room and upload the file again')
        : error;
    }
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
    const at = clock.now();
    const isRemoved = await store.commit((write) => removeRow(write, digest, at, by));
    await rm(join(folder, digest), { force: true });
    return isRemoved;
  }

  return {
    add,
    list: (query) => listRows(store.read, query),
    find: (digest) => findRow(store.read, digest),
    file,
    remove,
  };
}
