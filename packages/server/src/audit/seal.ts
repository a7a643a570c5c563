import type { AuditBodies, NewAuditEntry } from '@srup/protocol';
import type { KeyEvent, KeyEvents } from '../keyservice/events.ts';
import { chainWaiting } from '../evidence/messages.ts';
import { IS_UNCHAINED } from '../store/migrations.ts';
import type { FleetTables } from '../store/tables.ts';
import { appendAudit, isLastOfKind } from './append.ts';
import type { Store } from '../store/port.ts';

/** Devices whose waiting messages are looked for at once. */
const DEVICES_AT_ONCE = 50;
const KEY_EVENTS_AT_ONCE = 500;
/** Serials of one identity that one entry names; more are counted. */
const SERIALS_NAMED = 8;
/** In `settings`: id of the last event of the key service that the trail has. */
const CURSOR = 'key-events';

/** Brings into the trail what has waited for an entry that tells of many. */
export async function sealTrail(store: Store<FleetTables>, keys: KeyEvents, at: number): Promise<void> {
  await sealMessages(store, at);
  await sealRefusals(store, at);
  while (await sealKeyEvents(store, keys));
}

/** A transaction for each device: nobody waits for all of them. */
async function sealMessages(store: Store<FleetTables>, at: number): Promise<void> {
  for (;;) {
    const rows = await store.read
      .selectFrom('messages')
      .select('device')
      .distinct()
      .where(IS_UNCHAINED)
      .limit(DEVICES_AT_ONCE)
      .execute();
    for (const { device } of rows) {
      await store.commit((transaction) => chainWaiting(transaction, device, at));
    }
    if (rows.length < DEVICES_AT_ONCE) return;
  }
}

/** Totals and not each one: a flood of refusals costs the trail one entry. */
async function sealRefusals(store: Store<FleetTables>, at: number): Promise<void> {
  await store.commit(async (transaction) => {
    const counts = await transaction.selectFrom('refusal_counts').selectAll().orderBy('code').execute();
    if (counts.length === 0) return;
    const totals = Object.fromEntries(counts.map(({ code, count }) => [code, count]));
    const body: AuditBodies['refusals'] = { totals };
    if (await isLastOfKind(transaction, 'refusals', body)) return;
    await appendAudit(transaction, { kind: 'refusals', at, body });
  });
}

/** Its events wait in the key service's own database until they are here: none is lost, none comes twice. */
async function sealKeyEvents(store: Store<FleetTables>, keys: KeyEvents): Promise<boolean> {
  const cursor = await store.read
    .selectFrom('settings')
    .select('value')
    .where('name', '=', CURSOR)
    .executeTakeFirst();
  const events = await keys.after(Number(cursor?.value ?? 0), KEY_EVENTS_AT_ONCE);
  const last = events.at(-1);
  if (last === undefined) return false;
  const value = String(last.id);
  await store.commit(async (transaction) => {
    await appendAudit(transaction, ...entriesOf(events));
    await transaction
      .insertInto('settings')
      .values({ name: CURSOR, value })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
      .execute();
  });
  await keys.drop(last.id);
  return events.length === KEY_EVENTS_AT_ONCE;
}

/** What happened to one identity again and again is one entry. */
function entriesOf(events: readonly KeyEvent[]): NewAuditEntry[] {
  const groups = new Map<string, KeyEvent[]>();
  for (const event of events) {
    const name = event.kind === 'identity' ? `${event.device} ${event.body.change}` : String(event.id);
    groups.set(name, [...(groups.get(name) ?? []), event]);
  }
  return [...groups.values()].flatMap((group) => entryOf(group) ?? []);
}

function entryOf(group: readonly KeyEvent[]): NewAuditEntry | undefined {
  const [first] = group;
  if (first === undefined) return undefined;
  const { kind, at, device } = first;
  if (kind !== 'identity') return first;
  const serials = group.flatMap(({ kind, body }) => (kind === 'identity' ? (body.serial ?? []) : []));
  const named = serials.length === 0 ? {} : { serials: serials.slice(0, SERIALS_NAMED) };
  return { kind, at, device, body: { change: first.body.change, count: group.length, ...named } };
}
