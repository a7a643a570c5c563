/** Copies of both databases of a server as SQLite files, wherever the server keeps them, while it may be running. */
import { chmod, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makePrivateFolder, sha256File, type Secret } from '@srup/node';
import { copyAll, type CopyMeter, type Source } from '../copy/copy.ts';
import { openBoth } from '../copy/target.ts';
import { keyServiceMigrations } from '../keyservice/tables.ts';
import { filesIn, findDatabases } from '../store/databases.ts';
import type { PostgresStorePlace } from '../store/postgres/place.ts';
import { holdSchemas } from '../store/postgres/schemas/snapshot.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import { holdDatabases } from '../store/sqlite/snapshot.ts';
import type { FileEntry } from './archive/manifest.ts';
import { DATABASES } from './places.ts';

export interface DatabaseCopies {
  /** The server's folder. */
  readonly folder: string;
  /** The password of a database elsewhere, instead of the one in the file that the folder names. */
  readonly password?: Secret | undefined;
  /** Is told of the rows that come from a database elsewhere. */
  readonly onRows?: CopyMeter | undefined;
}

/** Copies the databases as they are now into the folder `copies`, where they are files with the names of SQLite's. */
export async function copyDatabases(wish: DatabaseCopies, copies: string): Promise<FileEntry[]> {
  const { core, keys } = await findDatabases(wish.folder, wish.password);
  for (const path of DATABASES) await makePrivateFolder(dirname(join(copies, path)));
  if (core.kind === 'postgres' && keys.kind === 'postgres')
    await copySchemas({ core, keys }, copies, wish.onRows);
  else await copyFiles(wish.folder, copies);
  return Promise.all(DATABASES.map((path) => entryOf(copies, path)));
}

async function copyFiles(folder: string, copies: string): Promise<void> {
  const snapshots = holdDatabases(DATABASES.map((path) => join(folder, path)));
  try {
    for (const path of DATABASES) await snapshots.copy(join(folder, path), join(copies, path));
  } finally {
    snapshots.close();
  }
}

async function copySchemas(
  { core, keys }: Readonly<Record<'core' | 'keys', PostgresStorePlace>>,
  copies: string,
  onRows: CopyMeter | undefined,
): Promise<void> {
  const held = await holdSchemas([
    { place: core, migrations: coreMigrations },
    { place: keys, migrations: keyServiceMigrations },
  ]);
  try {
    const [heldCore, heldKeys] = held.schemas;
    await using target = await openBoth(filesIn(copies), () => undefined);
    await copyAll({ core: heldCore, keys: heldKeys } as Source, target, onRows);
  } finally {
    await held.close();
  }
}

async function entryOf(copies: string, path: string): Promise<FileEntry> {
  const to = join(copies, path);
  await chmod(to, 0o600);
  return { path, bytes: (await stat(to)).size, sha256: await sha256File(to) };
}
