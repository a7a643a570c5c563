import type { NewAuditEntry } from '@srup/protocol';
import { appendAudit } from '../chain/append.ts';
import { storeMessages, type EntriesOf } from '../evidence/messages.ts';
import { appendRefusals } from '../evidence/refusals.ts';
import { trimDevice } from '../evidence/trim.ts';
import { addEvents, type NewEvent } from '../news/events.ts';
import { writeProof } from '../peers/software.ts';
import type { Announcement, Write } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { hastenAnswers } from './hasten.ts';
import type { ChangeEvent, ChangeRows } from './rows.ts';
import {
  insertData,
  insertDecisions,
  insertDevices,
  insertErrands,
  insertOutgoing,
  insertPeers,
  updateDevices,
  updatePeers,
  upsertExchanges,
} from './statements.ts';

/** What written changes bring for those that listen to the store. */
export type Written = readonly Announcement[];

/**
 * Writes changes in one transaction, all of their rows at one go (P 5.3). It decides nothing: its work can run twice.
 *
 * @example
 * await store.add(writeChanges, rowsOf(change, decided), (written) => written);
 */
export async function writeChanges(
  write: Write<CoreTables>,
  changes: readonly ChangeRows[],
): Promise<readonly Written[]> {
  const all = <Row>(rows: (change: ChangeRows) => readonly Row[]): readonly Row[] => changes.flatMap(rows);
  // Each of these names what is written before it. They are done in this order, and nothing waits in between.
  const [, , , , ordered, messages] = await Promise.all([
    insertDevices(
      write,
      all(({ devices }) => devices.added),
    ),
    updateDevices(
      write,
      all(({ devices }) => devices.changed),
    ),
    insertPeers(
      write,
      all(({ peers }) => peers.added),
    ),
    updatePeers(
      write,
      all(({ peers }) => peers.changed),
    ),
    upsertExchanges(
      write,
      all(({ exchanges }) => exchanges),
    ),
    storeMessages(
      write,
      all(({ accepted, sent }) => [...accepted, ...sent]),
    ),
    appendRefusals(
      write,
      all(({ refusals }) => refusals),
    ),
    insertData(
      write,
      all(({ data }) => data),
    ),
    insertDecisions(
      write,
      all(({ decisions }) => decisions),
    ),
    insertOutgoing(
      write,
      all(({ outgoing }) => outgoing),
    ),
    insertErrands(
      write,
      all(({ errands }) => errands),
    ),
  ]);
  for (const change of changes) await writeRare(write, change);
  const orders = ordersOf(ordered);
  const events = changes.flatMap(({ device, events: some }) =>
    some.map((event) => withOrder(device, event, orders)),
  );
  const [lastEvent] = await Promise.all([
    addEvents(write, events),
    appendAudit(write, ...changes.flatMap((change) => entriesOf(change, messages))),
  ]);
  for (const { device, trim, at } of changes)
    if (trim !== undefined) await trimDevice(write, device, trim, at);
  return changes.map((change) => announcementsOf(change, lastEvent));
}

/** What few changes have, and what reads before it writes. */
async function writeRare(
  write: Write<CoreTables>,
  { at, device, software, isGreeting }: ChangeRows,
): Promise<void> {
  for (const proof of software) await writeProof(write, device, at, proof);
  if (isGreeting) await hastenAnswers(write, at, { device });
}

function entriesOf({ accepted, sent, entries }: ChangeRows, messages: EntriesOf): readonly NewAuditEntry[] {
  const [device, others] = [entries.filter(isOfDevice), entries.filter((entry) => !isOfDevice(entry))];
  const of = (some: ChangeRows['sent']) => some.flatMap((message) => messages.get(message) ?? []);
  return [...device, ...of(accepted), ...others, ...of(sent)];
}

/** Whoever reads the trail needs the key of a device before its messages. */
function isOfDevice({ kind }: NewAuditEntry): boolean {
  return kind === 'device';
}

type Orders = ReadonlyMap<string, string>;

function ordersOf(
  rows: readonly { readonly device: string; readonly token: string; readonly order_id: string | null }[],
): Orders {
  return new Map(
    rows.flatMap(({ device, token, order_id: order }) =>
      order === null ? [] : [[`${device} ${token}`, order] as const],
    ),
  );
}

function withOrder(device: string, { at, news, exchange }: ChangeEvent, orders: Orders): NewEvent {
  const order = exchange && orders.get(`${device} ${exchange}`);
  if (order === undefined || news.kind !== 'exchange') return { at, news };
  return { at, news: { ...news, change: { ...news.change, order } } };
}

function announcementsOf({ events, errands }: ChangeRows, lastEvent: number | undefined): Written {
  const announced: Announcement[] = [];
  if (events.length > 0 && lastEvent !== undefined) announced.push({ of: 'events', place: lastEvent });
  if (errands.length > 0)
    announced.push({ of: 'errands', place: Math.min(...errands.map(({ after }) => after)) });
  return announced;
}
