import type { NewAuditEntry, ServerExchange, TokenKey } from '@srup/protocol';
import { deviceEntry } from '../chain/entry.ts';
import type { Evidence } from '../evidence/messages.ts';
import type { Keep } from '../evidence/trim.ts';
import type { NewEvent, News } from '../news/events.ts';
import { isFinal } from '../news/explain.ts';
import { viewData, viewDevice, viewExchange, viewRefusal } from '../news/views.ts';
import { writeDraft } from '../outbox/draft.ts';
import type { DeviceRecord } from '../peers/records.ts';
import type { SoftwareProof } from '../peers/software.ts';
import type { DeviceRow, PeerRow } from '../store/schema/devices.ts';
import type { ErrandRow } from '../store/schema/errands.ts';
import type { ExchangeRow } from '../store/schema/exchanges.ts';
import type { JoinDecisionRow } from '../store/schema/joins.ts';
import type { DataRow, NewRefusal } from '../store/schema/messages.ts';
import type { OutboxRow } from '../store/schema/outbox.ts';
import type { Change } from './change.ts';

export type New<Row> = Omit<Row, 'id'>;

/** An event of a change. An exchange is told with its order, which the database knows. */
export interface ChangeEvent extends NewEvent {
  readonly exchange?: TokenKey;
}

/** A change as rows: what one commit writes. `at`: ms since 1970. */
export interface ChangeRows {
  readonly at: number;
  readonly device: string;
  /** The device is new, or other than before. */
  readonly devices: Readonly<Record<'added' | 'changed', readonly DeviceRow[]>>;
  readonly peers: Readonly<Record<'added' | 'changed', readonly PeerRow[]>>;
  readonly exchanges: readonly New<ExchangeRow>[];
  readonly accepted: readonly Evidence[];
  readonly sent: readonly Evidence[];
  readonly refusals: readonly NewRefusal[];
  readonly software: readonly SoftwareProof[];
  readonly data: readonly New<DataRow>[];
  readonly decisions: readonly New<JoinDecisionRow>[];
  /** Entries of the audit trail that come before those of the sent messages. */
  readonly entries: readonly NewAuditEntry[];
  readonly outgoing: readonly New<OutboxRow>[];
  readonly errands: readonly New<ErrandRow>[];
  readonly events: readonly ChangeEvent[];
  readonly isGreeting: boolean;
  /** What is kept of the device, when it is time to trim it. */
  readonly trim: Keep | undefined;
}

export interface Decided {
  readonly accepted: readonly Evidence[];
  readonly sent: readonly Evidence[];
  readonly trim: Keep | undefined;
}

/**
 * Turns a change into rows. It decides nothing and reads nothing: the same change is always the same rows.
 *
 * @example
 * await store.add(writeChanges, rowsOf(change, { accepted, sent, trim }));
 */
export function rowsOf(change: Change, decided: Decided): ChangeRows {
  const { at, before, record, isGreeting, refusal, software } = change;
  const { row } = record;
  const isNew = before === undefined;
  const peer = isNew || isOtherPeer(before, record) ? [peerOf(record)] : [];
  const changed = !isNew && before.row !== row ? [row] : [];
  return {
    ...{ at, device: row.id, isGreeting, software },
    devices: { added: isNew ? [row] : [], changed },
    peers: isNew ? { added: peer, changed: [] } : { added: [], changed: peer },
    exchanges: [...change.exchanges.values()].map((exchange) => exchangeRow(change, exchange)),
    refusals: refusal === undefined ? [] : [refusal],
    data: change.data.map(({ dataId, bytes }) => ({ at, device: row.id, data_id: dataId, bytes })),
    decisions: change.decisions.map(({ token, verdict, by }) => ({
      ...{ at, device: row.id, token, verdict },
      decided_by: JSON.stringify(by),
    })),
    entries: entriesOf(change, isNew),
    outgoing: change.outgoing.map(({ sequence, draft, signed }) => ({
      device: row.id,
      sequence: sequence.toString(),
      message: signed?.bytes ?? writeDraft(draft),
      is_signed: signed === undefined ? 0 : 1,
      created_at: at,
    })),
    errands: change.errands.map(({ body, ...errand }) => ({
      ...errand,
      body: JSON.stringify(body),
      created_at: at,
    })),
    events: eventsOf(change),
    ...decided,
  };
}

function isOtherPeer(before: DeviceRecord, after: DeviceRecord): boolean {
  return before.sent !== after.sent || before.window !== after.window || before.provenAt !== after.provenAt;
}

function peerOf({ row, sent, window, provenAt }: DeviceRecord): PeerRow {
  return {
    device: row.id,
    sent: sent.toString(),
    highest: window.highest.toString(),
    seen: window.seen.toString(),
    proven_at: provenAt,
  };
}

function exchangeRow({ at, record, orderId }: Change, exchange: ServerExchange): New<ExchangeRow> {
  return {
    device: record.row.id,
    token: exchange.token,
    kind: exchange.kind,
    phase: exchange.phase,
    is_open: isFinal(exchange) ? 0 : 1,
    state: JSON.stringify(exchange),
    wake_at: exchange.wakeAt ?? null,
    opened_at: exchange.openedAt,
    updated_at: at,
    order_id: orderId ?? null,
  };
}

function entriesOf({ at, record, decisions, entries }: Change, isNew: boolean): readonly NewAuditEntry[] {
  const { row } = record;
  return [
    ...(isNew ? [deviceEntry(row, row.first_seen_at)] : []),
    ...decisions.map((body): NewAuditEntry => ({ kind: 'decision', at, device: row.id, body })),
    ...entries,
  ];
}

/** The events of a change. Data is an event of its own; the exchange that brought it is none. */
function eventsOf({ at, before, record, exchanges, data, refusal, isRefusalNews }: Change): ChangeEvent[] {
  const device = record.row.id;
  const events: ChangeEvent[] = [];
  const add = (news: News, exchange?: TokenKey) => events.push({ at, news, ...(exchange && { exchange }) });
  if (before?.row !== record.row) add({ kind: 'device', device: viewDevice(withProof(record)) });
  for (const exchange of exchanges.values()) {
    if (exchange.kind === 'data' && exchange.phase === 'received') continue;
    add({ kind: 'exchange', change: viewExchange(device, exchange, at) }, exchange.token);
  }
  for (const { dataId, bytes } of data) {
    add({ kind: 'data', data: viewData({ at, device, data_id: dataId, bytes }) });
  }
  if (refusal !== undefined && isRefusalNews) add({ kind: 'refusal', refusal: viewRefusal(refusal) });
  return events;
}

function withProof({ row, provenAt }: DeviceRecord): DeviceRow & { proven_at: number | null } {
  return { ...row, proven_at: provenAt };
}
