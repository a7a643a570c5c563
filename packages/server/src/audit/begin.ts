/** The entries that a start of the server adds to its trail. */
import type { Clock, NewAuditEntry, SuiteName } from '@srup/protocol';
import { appendAudit } from '../chain/append.ts';
import { deviceEntry } from '../chain/entry.ts';
import { headOf, isLastOfKind } from '../chain/head.ts';
import type { Read, Store } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import type { RestoreNote, TrailOptions, TrailPorts } from './ports.ts';

/** Appends entries in a transaction of their own: what they tell is recorded nowhere else. */
export function append(store: Store<CoreTables>, ...entries: readonly NewAuditEntry[]): Promise<void> {
  return store.commit((write) => appendAudit(write, ...entries));
}

/**
 * Begins the trail with whose it is and the keys that everything in it is verified with, if it has not begun. Then adds
 * what this start has to tell.
 */
export async function beginTrail(
  options: Omit<TrailOptions, 'witnesses'>,
  { store, findRestore, clock }: Pick<TrailPorts, 'store' | 'findRestore'> & { readonly clock: Clock },
  alarms: readonly string[],
): Promise<void> {
  const at = clock.now();
  const isNew = (await headOf(store.read)).seq === 0;
  if (isNew) await append(store, await beginEntry(options, store.read, at));
  const restored = await restoreEntry(store.read, await findRestore(), at);
  // An earlier release stored devices without an entry, and a restore adds devices of the key service.
  const devices = isNew || restored.length > 0 ? await devicesWithoutEntry(store.read, at) : [];
  const found = alarms.map((what) => alarmEntry(what, at));
  await append(store, ...restored, ...found, ...devices, {
    kind: 'start',
    at,
    body: { version: options.version },
  });
}

export function alarmEntry(what: string, at: number): NewAuditEntry {
  return { kind: 'alarm', at, body: { what } };
}

async function beginEntry(
  { server, publicKeys, caFingerprint, version }: Omit<TrailOptions, 'witnesses'>,
  read: Read<CoreTables>,
  at: number,
): Promise<NewAuditEntry> {
  const row = await read
    .selectFrom('messages')
    .select((select) => select.fn.max<number | null>('id').as('last'))
    .executeTakeFirst();
  const pems = Object.entries(publicKeys).map(([suite, { signing }]) => [suite, signing]);
  const keys = Object.fromEntries(pems) as Record<SuiteName, string>;
  const messagesBefore = row?.last ?? 0;
  return { kind: 'begin', at, body: { server, version, keys, ca: caFingerprint, messagesBefore } };
}

/** No second entry when an earlier start told of the same restore. */
async function restoreEntry(
  read: Read<CoreTables>,
  restore: RestoreNote | undefined,
  at: number,
): Promise<NewAuditEntry[]> {
  if (restore === undefined) return [];
  const body = { restoredAt: restore.at, backupOf: restore.backupOf };
  return (await isLastOfKind(read, 'restore', body)) ? [] : [{ kind: 'restore', at, body }];
}

async function devicesWithoutEntry(read: Read<CoreTables>, at: number): Promise<NewAuditEntry[]> {
  const rows = await read
    .selectFrom('devices')
    .selectAll()
    .where('id', 'not in', (select) =>
      select.selectFrom('audit').select('audit.device').where('kind', '=', 'device'),
    )
    .orderBy('id')
    .execute();
  return rows.map((row) => deviceEntry(row, at));
}
