import {
  identityText,
  nextSequence,
  tokenKey,
  type Caller,
  type Draft,
  type Fresh,
  type NewAuditEntry,
  type ServerExchange,
  type Signed,
  type TokenKey,
} from '@srup/protocol';
import type { DeviceRecord } from '../peers/records.ts';
import type { SoftwareProof } from '../peers/software.ts';
import type { Owner } from './owner.ts';
import type { DeviceRow } from '../store/schema/devices.ts';
import type { NewMessage, NewRefusal } from '../store/schema/messages.ts';

/** A message that takes its number with the change. It is signed before it leaves. */
export interface Outgoing {
  readonly sequence: bigint;
  readonly draft: Draft;
  readonly signed?: Signed;
}

/** What this turn asks of another owner, or of its own one later. It is durable with the change that asks for it. */
export interface NewErrand {
  readonly owner: Owner;
  readonly kind: string;
  /** A JSON value. */
  readonly body: object;
  /** The earliest time to perform it, ms since 1970. */
  readonly after: number;
}

/** Who or what decided a join, for the evidence of joins (P 9.8). */
export interface Decision {
  readonly token: TokenKey;
  readonly verdict: 'accept' | 'refuse' | 'fail';
  readonly by: Caller;
}

/** Everything that one input changes. One lane fills it, and one commit writes it (P 5.3). */
export interface Change {
  readonly at: number;
  /** Undefined for a device that is not stored yet. */
  readonly before: DeviceRecord | undefined;
  record: DeviceRecord;
  readonly exchanges: Map<TokenKey, ServerExchange>;
  /** Exchanges that were open until now, or never were. */
  readonly ended: ServerExchange[];
  outgoing: readonly Outgoing[];
  readonly accepted: NewMessage[];
  readonly data: { readonly dataId: string; readonly bytes: Uint8Array }[];
  readonly decisions: Decision[];
  readonly software: SoftwareProof[];
  /** What a caller said, for the audit trail. */
  readonly entries: NewAuditEntry[];
  readonly errands: NewErrand[];
  /** The order that begins the exchanges of this change. */
  orderId?: string;
  refusal?: NewRefusal;
  /** The refusal is an event, too. Only some refusals of a flood are. */
  isRefusalNews: boolean;
  /** The numbers of this pair are used up, so a message could not be added (P 5.1). */
  exhausted: boolean;
  /** The device lost what waited for it at the broker. The server asks it again now for the answers that it owes. */
  isGreeting: boolean;
}

/**
 * Begins an empty change of a device. `at`: ms since 1970. `isStored`: the store has the device already.
 *
 * @example
 * const change = beginChange(record, clock.now());
 * setRow(change, { name: 'pump 7' });
 * await save(change);
 */
export function beginChange(record: DeviceRecord, at: number, isStored = true): Change {
  return {
    at,
    before: isStored ? record : undefined,
    record,
    exchanges: new Map(),
    ended: [],
    outgoing: [],
    accepted: [],
    data: [],
    decisions: [],
    software: [],
    entries: [],
    errands: [],
    isRefusalNews: false,
    exhausted: false,
    isGreeting: false,
  };
}

/**
 * Sets columns of the device's row.
 *
 * @example
 * setRow(change, { standing: 'joined' });
 */
export function setRow(change: Change, columns: Partial<DeviceRow>): void {
  change.record = { ...change.record, row: { ...change.record.row, ...columns } };
}

/**
 * Uses up the message's number, and notes that its sender is alive, whatever the exchange answers (P 5.3).
 *
 * @example
 * addProof(change, fresh); // change.record.window has the message's number
 */
export function addProof(change: Change, { window }: Fresh): void {
  change.record = { ...change.record, window, provenAt: change.at };
}

/**
 * Adds a message of the device that its exchange took, as evidence.
 *
 * @example
 * addAccepted(change, fresh); // change.accepted has its bytes
 */
export function addAccepted(change: Change, { message, bytes }: Fresh): void {
  change.accepted.push({
    at: change.at,
    device: change.record.row.id,
    direction: 'in',
    type: message.type,
    sequence: message.sequence.toString(),
    token: tokenKey(message.token),
    bytes,
  });
}

/**
 * Adds a message to the device. It takes its number here; the number is committed before the message leaves (P 5.1).
 * Sets `exhausted` when there is no number left.
 *
 * @example
 * addDraft(change, { type: 'ACTION', token, body: { actionId: 4 } });
 */
export function addDraft(change: Change, draft: Draft): void {
  const { sent, window } = change.record;
  let sequence: bigint;
  try {
    sequence = nextSequence({ sent, highest: window.highest });
  } catch (fault) {
    if (!(fault instanceof RangeError)) throw fault;
    change.exhausted = true;
    return;
  }
  change.outgoing = [...change.outgoing, { sequence, draft }];
  change.record = { ...change.record, sent: sequence };
}

/**
 * Adds the refusal of a message that is authentic and fresh, but that its exchange does not take.
 *
 * @example
 * addRefusal(change, 'FLOW_TOKEN', topic, fresh);
 */
export function addRefusal(change: Change, code: NewRefusal['code'], topic: string, fresh: Fresh): void {
  const { type, sender } = fresh.message;
  change.refusal = { at: change.at, code, claimed_sender: identityText(sender), topic, type };
}
