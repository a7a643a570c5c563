import type { AuditBodies, NewAuditEntry } from '@srup/protocol';
import type { KeyEvent, KeyEvents } from '../keyservice/events.ts';
import { chainWaiting } from '../evidence/bundle.ts';
import { IS_UNCHAINED } from '../store/schema/messages.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { appendAudit } from '../chain/append.ts';
import { isLastOfKind } from '../chain/head.ts';
import type { Store } from '../store/port.ts';
import { readSetting, writeSetting } from '../store/settings.ts';

/** Devices that one query finds. */
const DEVICES_AT_ONCE = 50;
const KEY_EVENTS_AT_ONCE = 500;
/** Serials of one identity that one entry names. It only counts the others. */
const SERIALS_NAMED = 8;
/** The setting that holds the id of the last event of the key service that is in the trail. */
const CURSOR = 'key-events';

/**
 * Appends the entries that tell of many things at once: messages that wait, totals of refusals, events of the key
 * service.
 * @param at milliseconds since 1970
 */
export async function sealTrail(store: Store<CoreTables>, keys: KeyEvents, at: number): Promise<void> {
  await sealMessages(store, at);
  await sealRefusals(store, at);
  while (await sealKeyEvents(store, keys));
}

/** Commits for each device, so that nothing waits for all of them. */
async function sealMessages(store: Store<CoreTables>, at: number): Promise<void> {
  for (;;) {
    const rows = await store.read
      .selectFrom('messages')
      .select('device')
      .distinct()
      .where(IS_UNCHAINED)
      .limit(DEVICES_AT_ONCE)
      .execute();
    for (const { device } of rows) {
      await store.commit((write) => chainWaiting(write, device, at));
    }
    if (rows.length < DEVICES_AT_ONCE) return;
  }
}

/** Appends totals, not each refusal: a flood of refusals costs the trail one entry. */
async function sealRefusals(store: Store<CoreTables>, at: number): Promise<void> {
  await store.commit(async (write) => {
    const counts = await write.selectFrom('refusal_counts').selectAll().orderBy('code').execute();
    if (counts.length === 0) return;
    const totals = Object.fromEntries(counts.map(({ code, count }) => [code, count]));
    const body: AuditBodies['refusals'] = { totals };
    if (await isLastOfKind(write, 'refusals', body)) return;
    await appendAudit(write, { kind: 'refusals', at, body });
  });
}

/**
 * Takes over the next events of the key service. They wait in its own database until they are in the trail: none is
 * lost, none comes twice.
 * @returns whether there may be more
 */
async function sealKeyEvents(store: Store<CoreTables>, keys: KeyEvents): Promise<boolean> {
  const taken = Number((await readSetting(store.read, CURSOR)) ?? 0);
  const events = await keys.after(taken, KEY_EVENTS_AT_ONCE);
  const last = events.at(-1);
  if (last === undefined) return false;
  const entries = entriesOf(events);
  await store.commit(async (write) => {
    await appendAudit(write, ...entries);
    await writeSetting(write, CURSOR, String(last.id));
  });
  await keys.drop(last.id);
  return events.length === KEY_EVENTS_AT_ONCE;
}

/** Makes one entry of what happened to one identity again and again. */
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
