/** The databases that a copy goes to: empty at first, and refused by every server until the copy is finished. */
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makePrivateFolder, syncFolder } from '@srup/node';
import { keyServiceMigrations, type KeyServiceTables } from '../keyservice/tables.ts';
import { parseCopyNote, writeCopyNote, type CopyNote } from '../store/copied.ts';
import type { Databases } from '../store/databases.ts';
import { StoreError } from '../store/fault.ts';
import { openStore, shownPlace, type StorePlace } from '../store/open.ts';
import { clearSchema, lookAt, type Holding } from '../store/postgres/schemas/clear.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { copyNoteOf } from '../store/sqlite/open.ts';
import type { Target } from './copy.ts';

export interface TargetWish {
  /** Where the server will find them. */
  readonly databases: Databases;
  /** What both hold until the copy is finished. */
  readonly note: CopyNote;
  /** A folder beside the server's, on the same disk, for files that are not whole yet. */
  readonly work: string;
  /** True: what this server left there when it moved away can go. */
  readonly mayReplace: boolean;
  readonly tell: (what: string) => void;
}

export interface OpenTarget extends Target, AsyncDisposable {
  /** Puts the databases, which are closed, where a server looks for them. They are still refused there. */
  settle(): Promise<void>;
}

/** Opens both databases of a server whatever a copy left there. They are closed with the result. */
export async function openBoth(
  { core, keys }: Pick<Databases, 'core' | 'keys'>,
  tell: (what: string) => void,
): Promise<Target & AsyncDisposable> {
  const options = { isForCopy: true, tell };
  const first = await openStore<CoreTables>(core, coreMigrations, options);
  try {
    const second = await openStore<KeyServiceTables>(keys, keyServiceMigrations, options);
    const close = async (): Promise<void> => {
      await second.close();
      await first.close();
    };
    return { core: first, keys: second, [Symbol.asyncDispose]: close };
  } catch (fault) {
    await first.close();
    throw fault;
  }
}

/** Prepares both databases. Rejects with `StoreError` when one holds what must stay; then neither was touched. */
export async function openTarget(wish: TargetWish): Promise<OpenTarget> {
  const { databases, note, work, tell } = wish;
  await refuseTarget(wish);
  let isDecided = false;
  for (const place of [databases.core, databases.keys]) {
    if (place.kind === 'sqlite') continue;
    const check = (holding: Holding): void => {
      refuseUsed(holding, place, wish, isDecided);
    };
    await clearSchema(place, note, check, tell);
    isDecided = true;
  }
  const aside = { core: await asideOf(databases.core, work), keys: await asideOf(databases.keys, work) };
  const target = await openBoth(aside, tell);
  await target.core.commit((write) => writeCopyNote(write, note));
  await target.keys.commit((write) => writeCopyNote(write, note));
  return {
    ...target,
    settle: async () => {
      await putInPlace(aside.core, databases.core);
      await putInPlace(aside.keys, databases.keys);
    },
  };
}

/** Rejects with `StoreError` when one of the databases holds what must stay. */
export async function refuseTarget(wish: Omit<TargetWish, 'work'>): Promise<void> {
  const { core, keys } = wish.databases;
  const first = await holdingAt(core);
  refuseUsed(first, core, wish, false);
  refuseUsed(await holdingAt(keys), keys, wish, isUnfinished(first, wish));
}

function isUnfinished({ note }: Holding, { note: own }: Pick<TargetWish, 'note'>): boolean {
  return note?.server === own.server && note.state === 'unfinished';
}

/** Looks at a database without opening it for a server. */
export async function holdingAt(place: StorePlace): Promise<Holding> {
  if (place.kind === 'postgres') return lookAt(place);
  const isThere = await stat(place.file).then(
    () => true,
    () => false,
  );
  const text = isThere ? copyNoteOf(place.file) : undefined;
  return { isEmpty: !isThere, note: text === undefined ? undefined : parseCopyNote(text) };
}

/**
 * @param isDecided what the core holds can go: then the other database can too, if it is this server's. A copy that was
 * killed in its last steps had finished that one already.
 */
function refuseUsed(
  holding: Holding,
  place: StorePlace,
  wish: Omit<TargetWish, 'work'>,
  isDecided: boolean,
): void {
  const { isEmpty, note } = holding;
  if (isEmpty || isUnfinished(holding, wish)) return;
  const isOwn = note?.server === wish.note.server;
  if (isOwn && (isDecided || (note.state === 'moved' && wish.mayReplace))) return;
  const what =
    place.kind === 'sqlite'
      ? `There is a database already: ${place.file}. Move it away if nobody needs it.`
      : `The database ${shownPlace(place)} holds data already. Name an empty one, or drop the schema "${place.schema}" if nobody needs it.`;
  throw new StoreError(what);
}

/** Where a database is while it is being filled: files in the folder for work, schemas at once where they belong. */
async function asideOf(place: StorePlace, work: string): Promise<StorePlace> {
  if (place.kind === 'postgres') return place;
  const folder = join(work, basename(dirname(place.file)));
  await makePrivateFolder(folder);
  return { kind: 'sqlite', file: join(folder, 'copy.db') };
}

/**
 * Closed, a database is one file; what another one left beside its name would be taken for a part of it. There is a file
 * of that name at every instant.
 */
async function putInPlace(aside: StorePlace, place: StorePlace): Promise<void> {
  if (aside.kind === 'postgres' || place.kind === 'postgres') return;
  await makePrivateFolder(dirname(place.file));
  for (const side of ['-wal', '-shm']) await rm(`${place.file}${side}`, { force: true });
  await rename(aside.file, place.file);
  await syncFolder(dirname(place.file));
}
