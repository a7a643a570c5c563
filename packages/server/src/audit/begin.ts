import type { NewAuditEntry, SuiteName } from '@srup/protocol';
import { findRestore } from '../errands/restored.ts';
import { deviceEntry } from '../turn/write.ts';
import type { FleetTables } from '../store/tables.ts';
import { appendAudit, headOf, isLastOfKind } from './append.ts';
import type { TrailOptions } from './trail.ts';
import type { Read, Store } from '../store/port.ts';

type Options = Pick<TrailOptions, 'store' | 'server' | 'publicKeys' | 'caFingerprint' | 'version' | 'clock'>;

/** In a transaction of their own: for what is recorded nowhere else. */
export function append(store: Store<FleetTables>, ...entries: readonly NewAuditEntry[]): Promise<void> {
  return store.commit((transaction) => appendAudit(transaction, ...entries));
}

/** Whose trail it is, with the keys that everything in it is verified with; then what this start has to tell. */
export async function beginTrail(options: Options, alarms: readonly string[]): Promise<void> {
  const { store, version, clock } = options;
  const at = clock.now();
  const isNew = (await headOf(store.read)).seq === 0;
  if (isNew) await append(store, await beginEntry(options, at));
  const restored = await restoreEntry(store.read, at);
  const found = alarms.map((what) => alarmEntry(what, at));
  // Of an older version's devices, or of those that a restore brought from the key service.
  const devices = isNew || restored.length > 0 ? await devicesWithoutEntry(store.read, at) : [];
  await append(store, ...restored, ...found, ...devices, { kind: 'start', at, body: { version } });
}

export function alarmEntry(what: string, at: number): NewAuditEntry {
  return { kind: 'alarm', at, body: { what } };
}

async function beginEntry(
  { store, server, publicKeys, caFingerprint, version }: Options,
  at: number,
): Promise<NewAuditEntry> {
  const row = await store.read
    .selectFrom('messages')
    .select((select) => select.fn.max<number | null>('id').as('last'))
    .executeTakeFirst();
  const pems = Object.entries(publicKeys).map(([suite, { signing }]) => [suite, signing]);
  const keys = Object.fromEntries(pems) as Record<SuiteName, string>;
  const messagesBefore = row?.last ?? 0;
  return { kind: 'begin', at, body: { server, version, keys, ca: caFingerprint, messagesBefore } };
}

async function restoreEntry(store: Read<FleetTables>, at: number): Promise<NewAuditEntry[]> {
  const restore = await findRestore(store);
  if (restore === undefined) return [];
  const body = { restoredAt: restore.at, backupOf: restore.backupOf };
  return (await isLastOfKind(store, 'restore', body)) ? [] : [{ kind: 'restore', at, body }];
}

async function devicesWithoutEntry(store: Read<FleetTables>, at: number): Promise<NewAuditEntry[]> {
  const rows = await store
    .selectFrom('devices')
    .selectAll()
    .where('id', 'not in', (select) =>
      select.selectFrom('audit').select('audit.device').where('kind', '=', 'device'),
    )
    .orderBy('id')
    .execute();
  return rows.map((row) => deviceEntry(row, at));
}
