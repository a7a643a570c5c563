/** node:fs/promises, which writes down what is changed below one folder, and when it is made durable. */
import * as real from 'node:fs/promises';
import { constants } from 'node:fs';
import { basename, dirname, relative, sep } from 'node:path';
import { ROOT, type Mark, type NameChange, type Operation } from './disk.ts';

export * from 'node:fs/promises';

interface Folder {
  readonly id: number;
  readonly entries: Map<string, Entry>;
}
interface File {
  readonly id: number;
  size: number;
}
type Entry = Folder | File;

let root: string | undefined;
let nextId = ROOT;
const tree: Folder = newFolder();
export const operations: Operation[] = [];
export const folders = new Set([ROOT]);

/** From now on; what is there already is not known. */
export function record(folder: string): void {
  root = folder;
}

export function mark(what: Mark): void {
  if (root !== undefined) operations.push({ do: 'mark', mark: what });
}

export function stopRecording(): void {
  root = undefined;
}

function newFolder(): Folder {
  return { id: nextId++, entries: new Map() };
}

const isFolder = (entry: Entry | undefined): entry is Folder => entry !== undefined && 'entries' in entry;

/** Undefined for what is elsewhere, or was not made by way of this file. */
function find(path: string): Entry | undefined {
  const parts = partsOf(path);
  if (parts === undefined) return undefined;
  let entry: Entry | undefined = tree;
  for (const part of parts) entry = isFolder(entry) ? entry.entries.get(part) : undefined;
  return entry;
}

function partsOf(path: string): string[] | undefined {
  if (root === undefined) return undefined;
  const below = relative(root, path);
  if (below.startsWith('..')) return undefined;
  return below === '' ? [] : below.split(sep);
}

/** A change of one name; applied to the tree, and told as a part of an operation. */
function change(path: string, entry: Entry | undefined): NameChange[] {
  const folder = find(dirname(path));
  if (!isFolder(folder)) return [];
  const name = basename(path);
  if (entry === undefined) {
    if (!folder.entries.delete(name)) return [];
  } else folder.entries.set(name, entry);
  return [{ folder: folder.id, name, node: entry?.id }];
}

function tell(changes: readonly NameChange[]): void {
  if (changes.length > 0) operations.push({ do: 'names', changes });
}

function created(path: string): File | undefined {
  const known = find(path);
  if (known !== undefined || partsOf(path) === undefined) return isFolder(known) ? undefined : known;
  const file: File = { id: nextId++, size: 0 };
  tell(change(path, file));
  return file;
}

function folderMade(path: string): void {
  if (partsOf(path) === undefined || find(path) !== undefined) return;
  folderMade(dirname(path));
  const folder = newFolder();
  folders.add(folder.id);
  tell(change(path, folder));
}

function wrote(file: File, at: number, bytes: Uint8Array): void {
  operations.push({ do: 'write', node: file.id, at, bytes: Uint8Array.from(bytes) });
  file.size = Math.max(file.size, at + bytes.length);
}

const bytesOf = (data: unknown): Uint8Array =>
  typeof data === 'string' ? Buffer.from(data) : (data as Uint8Array);

export const open: typeof real.open = async (path, flags, mode) => {
  const handle = await real.open(path, flags, mode);
  const isWriting =
    typeof flags === 'number' ? (flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0 : flags !== 'r';
  const isAppending = typeof flags === 'number' ? (flags & constants.O_APPEND) !== 0 : flags === 'a';
  const entry = isWriting ? created(String(path)) : find(String(path));
  if (entry === undefined) return handle;
  let position = isAppending && !isFolder(entry) ? entry.size : 0;
  const sync = () => operations.push({ do: 'sync', node: entry.id });
  const put = (bytes: Uint8Array, at: number | null | undefined) => {
    if (isFolder(entry)) return;
    wrote(entry, at ?? position, bytes);
    if (at === null || at === undefined) position += bytes.length;
  };
  const recorded = {
    write: async (bytes: Uint8Array, offset = 0, length = bytes.length - offset, at?: number | null) => {
      const result = await handle.write(bytes, offset, length, at);
      put(bytes.subarray(offset, offset + result.bytesWritten), at);
      return result;
    },
    writeFile: async (data: string | Uint8Array) => {
      await handle.writeFile(data);
      put(bytesOf(data), undefined);
    },
    appendFile: async (data: string | Uint8Array) => {
      await handle.appendFile(data);
      put(bytesOf(data), undefined);
    },
    truncate: async (size = 0) => {
      await handle.truncate(size);
      operations.push({ do: 'truncate', node: entry.id, size });
      if (!isFolder(entry)) entry.size = size;
    },
    chmod: async (to: number) => {
      await handle.chmod(to);
      operations.push({ do: 'mode', node: entry.id, mode: to });
    },
    sync: async () => {
      await handle.sync();
      sync();
    },
    datasync: async () => {
      await handle.datasync();
      sync();
    },
  };
  return new Proxy(handle, {
    get: (target, name) => {
      if (Object.hasOwn(recorded, name)) return recorded[name as keyof typeof recorded];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
};

export const rename: typeof real.rename = async (from, to) => {
  const entry = find(String(from));
  await real.rename(from, to);
  if (entry !== undefined) tell([...change(String(from), undefined), ...change(String(to), entry)]);
};

export const rm: typeof real.rm = async (path, options) => {
  await real.rm(path, options);
  const remove = (name: string) => {
    const entry = find(name);
    if (entry === undefined) return;
    if (isFolder(entry)) for (const child of [...entry.entries.keys()]) remove(`${name}${sep}${child}`);
    tell(change(name, undefined));
  };
  remove(String(path));
};

export const mkdir = (async (path: string, options?: Parameters<typeof real.mkdir>[1]) => {
  const made = await real.mkdir(path, options);
  folderMade(path);
  return made;
}) as typeof real.mkdir;

export const copyFile: typeof real.copyFile = async (from, to, mode) => {
  await real.copyFile(from, to, mode);
  const file = created(String(to));
  if (file !== undefined) wrote(file, 0, await real.readFile(to));
};

export const writeFile = (async (path: string, data: string | Uint8Array, options?: object) => {
  await real.writeFile(path, data, options);
  const file = created(path);
  if (file === undefined) return;
  operations.push({ do: 'truncate', node: file.id, size: 0 });
  wrote(file, 0, bytesOf(data));
}) as typeof real.writeFile;
