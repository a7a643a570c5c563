/**
 * What a disk holds after a power cut. Files and folders are nodes; a folder leads from names to nodes. Nothing is
 * durable before it is synced: of the bytes written to a file since its last sync any subset is there, and one of them
 * may be torn; of the names changed in folders since their last sync those up to some instant.
 */
import type { SeededRandom } from '@srup/protocol/testing';

type NodeId = number;

/** One change, or a sync, in the order in which they happened. */
export type Operation =
  | { readonly do: 'write'; readonly node: NodeId; readonly at: number; readonly bytes: Uint8Array }
  | { readonly do: 'truncate'; readonly node: NodeId; readonly size: number }
  | { readonly do: 'mode'; readonly node: NodeId; readonly mode: number }
  /** Names that come and go together: a rename changes two folders at once. */
  | { readonly do: 'names'; readonly changes: readonly NameChange[] }
  | { readonly do: 'sync'; readonly node: NodeId }
  /** Something that the world has seen, and that must be true ever after. */
  | { readonly do: 'mark'; readonly mark: Mark };

export interface NameChange {
  readonly folder: NodeId;
  readonly name: string;
  /** Undefined: the name is removed. */
  readonly node: NodeId | undefined;
}

/** What the world knows of a device. */
export type Mark =
  | { readonly what: 'runs' }
  /** A message that reached the broker, signed. */
  | { readonly what: 'said'; readonly bytes: Uint8Array }
  /** A message that the device told the broker to have. */
  | { readonly what: 'heard'; readonly bytes: Uint8Array }
  | { readonly what: 'acted'; readonly token: string }
  | { readonly what: 'leaves' };

export const ROOT: NodeId = 0;

export interface FileImage {
  readonly bytes: Uint8Array;
  readonly mode: number;
}
/** Path below the root to its file; folders end with a slash and have none. */
export type Image = ReadonlyMap<string, FileImage | undefined>;

type DataOperation = Extract<Operation, { readonly do: 'write' | 'truncate' | 'mode' }>;

/** The disk after a power cut before the operation `end`, as chance has it. */
export function cutPower(
  operations: readonly Operation[],
  folders: ReadonlySet<NodeId>,
  end: number,
  random: SeededRandom,
): Image {
  const durable = findDurable(operations, end);
  // Names reach a journal in their order: those up to here, synced or not.
  const namesUpTo = end - random.below(end + 1);
  const keepsAll = random.chance(0.2);
  const data = new Map<NodeId, DataOperation[]>();
  const names = new Map<NodeId, Map<string, NodeId>>();
  operations.slice(0, end).forEach((operation, n) => {
    const isKept = durable.has(n) || keepsAll;
    if (operation.do === 'names') {
      if (!isKept && n >= namesUpTo) return;
      for (const { folder, name, node } of operation.changes) {
        const entries = names.get(folder) ?? new Map<string, NodeId>();
        names.set(folder, entries);
        if (node === undefined) entries.delete(name);
        else entries.set(name, node);
      }
    } else if (operation.do === 'write' || operation.do === 'truncate' || operation.do === 'mode') {
      const kept = isKept ? operation : survivor(operation, random);
      if (kept === undefined) return;
      data.set(operation.node, [...(data.get(operation.node) ?? []), kept]);
    }
  });
  return imageOf(names, data, folders);
}

/** Changes whose file or folder was synced after them. */
function findDurable(operations: readonly Operation[], end: number): ReadonlySet<number> {
  const durable = new Set<number>();
  const synced = new Set<NodeId>();
  for (let n = end - 1; n >= 0; n--) {
    const operation = operations[n] as Operation;
    if (operation.do === 'sync') synced.add(operation.node);
    else if (operation.do === 'names') {
      if (operation.changes.some(({ folder }) => synced.has(folder))) durable.add(n);
    } else if (operation.do !== 'mark' && synced.has(operation.node)) durable.add(n);
  }
  return durable;
}

/** Lost, whole, or torn: its beginning, or nothing but zeros where a length was noted before the bytes. */
function survivor(operation: DataOperation, random: SeededRandom): DataOperation | undefined {
  if (random.chance(0.4)) return undefined;
  if (operation.do !== 'write' || random.chance(0.4)) return operation;
  const { bytes } = operation;
  const torn = random.chance(0.5)
    ? bytes.slice(0, random.below(bytes.length + 1))
    : Uint8Array.from(bytes, (byte, at) => (at < bytes.length / 2 ? byte : 0));
  return { ...operation, bytes: torn };
}

function imageOf(
  names: ReadonlyMap<NodeId, ReadonlyMap<string, NodeId>>,
  data: ReadonlyMap<NodeId, readonly DataOperation[]>,
  folders: ReadonlySet<NodeId>,
): Image {
  const image = new Map<string, FileImage | undefined>();
  const walk = (folder: NodeId, path: string) => {
    for (const [name, node] of names.get(folder) ?? []) {
      if (!folders.has(node)) image.set(path + name, fileOf(data.get(node) ?? []));
      else {
        image.set(`${path}${name}/`, undefined);
        walk(node, `${path}${name}/`);
      }
    }
  };
  walk(ROOT, '');
  return image;
}

function fileOf(operations: readonly DataOperation[]): FileImage {
  let bytes = new Uint8Array();
  let mode = 0o600;
  for (const operation of operations) {
    if (operation.do === 'mode') mode = operation.mode;
    else if (operation.do === 'truncate') bytes = resized(bytes, operation.size);
    else {
      const end = operation.at + operation.bytes.length;
      if (end > bytes.length) bytes = resized(bytes, end);
      bytes.set(operation.bytes, operation.at);
    }
  }
  return { bytes, mode };
}

/** What lies between an old end and a new one reads as zeros. */
function resized(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(size);
  next.set(bytes.subarray(0, size));
  return next;
}
