import type { NewAuditEntry, ServerExchange, TokenKey } from '@srup/protocol';
import { appendMessages, type Evidence } from '../evidence/messages.ts';
import { prepare } from '../store/prepared.ts';
import { writeDraft } from '../outbox/draft.ts';
import type { Change } from './change.ts';
import { addEvents, type News } from '../news/events.ts';
import { isFinal } from '../news/explain.ts';
import { hastenAnswers } from './hasten.ts';
import type { DeviceRecord } from '../peers/records.ts';
import { writeProof } from '../peers/software.ts';
import { viewData, viewDevice, viewExchange, viewRefusal } from '../news/views.ts';
import type { Write } from '../store/port.ts';
import type { DeviceRow, PeerRow } from '../store/schema/devices.ts';
import type { ExchangeRow } from '../store/schema/exchanges.ts';
import type { OutboxRow } from '../store/schema/outbox.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { appendAudit } from '../chain/append.ts';
import { appendRefusal } from '../evidence/refusals.ts';
import { deviceEntry } from '../chain/entry.ts';

/** What a written change brings for those that listen to the store. */
export interface Written {
  /** The place of its last event; undefined without events. */
  readonly lastEvent: number | undefined;
  /** When the first of its errands is due, ms since 1970; undefined without errands. */
  readonly nextErrand: number | undefined;
}

/**
 * Writes a whole change in one transaction (P 5.3). It decides nothing: its work can run twice.
 *
 * @example
 * const { lastEvent } = await store.commit((write) => writeChange(write, change, evidence));
 */
export async function writeChange(
  transaction: Write<CoreTables>,
  change: Change,
  evidence: { readonly accepted: readonly Evidence[]; readonly sent: readonly Evidence[] },
): Promise<Written> {
  await writeDevice(transaction, change);
  await writePeer(transaction, change);
  const orders = new Map<TokenKey, string>();
  for (const exchange of change.exchanges.values()) {
    const order = await writeExchange(transaction, change, exchange);
    if (order !== null) orders.set(exchange.token, order);
  }
  await appendMessages(transaction, evidence.accepted);
  if (change.refusal !== undefined) await appendRefusal(transaction, change.refusal);
  for (const proof of change.software) await writeProof(transaction, change.record.row.id, change.at, proof);
  await writeData(transaction, change);
  await writeDecisions(transaction, change);
  if (change.isGreeting) await hastenAnswers(transaction, change.at, { device: change.record.row.id });
  await appendAudit(transaction, ...change.entries);
  await writeOutgoing(transaction, change);
  await appendMessages(transaction, evidence.sent);
  const nextErrand = await writeErrands(transaction, change);
  return { nextErrand, lastEvent: await addEvents(transaction, change.at, newsOf(change, orders)) };
}

async function writeDevice(transaction: Write<CoreTables>, { before, record }: Change): Promise<void> {
  if (before === undefined) {
    await transaction.insertInto('devices').values(record.row).execute();
    await appendAudit(transaction, deviceEntry(record.row, record.row.first_seen_at));
  } else if (before.row !== record.row) {
    await transaction.updateTable('devices').set(record.row).where('id', '=', record.row.id).execute();
  }
}

const updatePeer = prepare((store: Write<CoreTables>, p: PeerRow) =>
  store
    .updateTable('peers')
    .set({ sent: p.sent, highest: p.highest, seen: p.seen, proven_at: p.proven_at })
    .where('device', '=', p.device),
);

async function writePeer(transaction: Write<CoreTables>, { before, record }: Change): Promise<void> {
  const peer = {
    sent: record.sent.toString(),
    highest: record.window.highest.toString(),
    seen: record.window.seen.toString(),
    proven_at: record.provenAt,
  };
  const device = record.row.id;
  if (before === undefined)
    await transaction
      .insertInto('peers')
      .values({ device, ...peer })
      .execute();
  else if (isOtherPeer(before, record)) {
    await updatePeer(transaction, { device, ...peer });
  }
}

function isOtherPeer(before: DeviceRecord, after: DeviceRecord): boolean {
  return before.sent !== after.sent || before.window !== after.window || before.provenAt !== after.provenAt;
}

type NewExchange = Omit<ExchangeRow, 'id'>;

const upsert = (write: Write<CoreTables>, p: NewExchange) =>
  write
    .insertInto('exchanges')
    .values({
      device: p.device,
      token: p.token,
      kind: p.kind,
      opened_at: p.opened_at,
      order_id: p.order_id,
      phase: p.phase,
      is_open: p.is_open,
      state: p.state,
      wake_at: p.wake_at,
      updated_at: p.updated_at,
    })
    .onConflict((conflict) =>
      conflict.columns(['device', 'token']).doUpdateSet({
        phase: p.phase,
        is_open: p.is_open,
        state: p.state,
        wake_at: p.wake_at,
        updated_at: p.updated_at,
      }),
    );
/** Two statements, because returning a column costs time, and telemetry belongs to no order. */
const upsertExchange = prepare(upsert);
const upsertInOrder = prepare((write: Write<CoreTables>, p: NewExchange) =>
  upsert(write, p).returning('order_id'),
);

/** Returns the id of the order that began the exchange; null without one. */
async function writeExchange(
  transaction: Write<CoreTables>,
  { at, record, orderId }: Change,
  exchange: ServerExchange,
): Promise<string | null> {
  const { token, kind, openedAt } = exchange;
  const row: NewExchange = {
    device: record.row.id,
    token,
    kind,
    opened_at: openedAt,
    order_id: orderId ?? null,
    phase: exchange.phase,
    is_open: isFinal(exchange) ? 0 : 1,
    state: JSON.stringify(exchange),
    wake_at: exchange.wakeAt ?? null,
    updated_at: at,
  };
  if (kind !== 'data') return (await upsertInOrder(transaction, row)).rows[0]?.order_id ?? null;
  await upsertExchange(transaction, row);
  return row.order_id;
}

const insertOutgoing = prepare((store: Write<CoreTables>, p: Omit<OutboxRow, 'id'>) =>
  store.insertInto('outbox').values({
    device: p.device,
    sequence: p.sequence,
    message: p.message,
    is_signed: p.is_signed,
    created_at: p.created_at,
  }),
);

async function writeOutgoing(
  transaction: Write<CoreTables>,
  { at, record, outgoing }: Change,
): Promise<void> {
  const device = record.row.id;
  for (const { sequence, draft, signed } of outgoing) {
    await insertOutgoing(transaction, {
      device,
      sequence: sequence.toString(),
      message: signed?.bytes ?? writeDraft(draft),
      is_signed: signed === undefined ? 0 : 1,
      created_at: at,
    });
  }
}

/** Returns when the first new errand is due, ms since 1970. */
async function writeErrands(
  transaction: Write<CoreTables>,
  { at, errands }: Change,
): Promise<number | undefined> {
  if (errands.length === 0) return undefined;
  const rows = errands.map(({ body, ...errand }) => ({
    ...errand,
    body: JSON.stringify(body),
    created_at: at,
  }));
  await transaction.insertInto('errands').values(rows).execute();
  return Math.min(...errands.map(({ after }) => after));
}

async function writeData(transaction: Write<CoreTables>, { at, record, data }: Change): Promise<void> {
  if (data.length === 0) return;
  const rows = data.map(({ dataId, bytes }) => ({ at, device: record.row.id, data_id: dataId, bytes }));
  await transaction.insertInto('data').values(rows).execute();
}

async function writeDecisions(
  transaction: Write<CoreTables>,
  { at, record, decisions }: Change,
): Promise<void> {
  if (decisions.length === 0) return;
  const rows = decisions.map(({ token, verdict, by }) => ({
    at,
    device: record.row.id,
    token,
    verdict,
    decided_by: JSON.stringify(by),
  }));
  await transaction.insertInto('join_decisions').values(rows).execute();
  const device = record.row.id;
  const entries = decisions.map((body): NewAuditEntry => ({ kind: 'decision', at, device, body }));
  await appendAudit(transaction, ...entries);
}

/** The events of a change. Data is an event of its own; the exchange that brought it is none. */
function newsOf(
  { at, before, record, exchanges, data, refusal, isRefusalNews }: Change,
  orders: ReadonlyMap<TokenKey, string>,
): News[] {
  const news: News[] = [];
  if (before?.row !== record.row) news.push({ kind: 'device', device: viewDevice(withProof(record)) });
  for (const exchange of exchanges.values()) {
    if (exchange.kind === 'data' && exchange.phase === 'received') continue;
    news.push({
      kind: 'exchange',
      change: viewExchange(record.row.id, exchange, at, orders.get(exchange.token)),
    });
  }
  for (const { dataId, bytes } of data) {
    news.push({ kind: 'data', data: viewData({ at, device: record.row.id, data_id: dataId, bytes }) });
  }
  if (refusal !== undefined && isRefusalNews) news.push({ kind: 'refusal', refusal: viewRefusal(refusal) });
  return news;
}

function withProof({ row, provenAt }: DeviceRecord): DeviceRow & { proven_at: number | null } {
  return { ...row, proven_at: provenAt };
}
