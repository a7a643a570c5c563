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

/** A message that takes its number with the change. It is signed before it leaves, at the latest. */
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
  /** Not to be performed before, ms since 1970. */
  readonly after: number;
}

/** Who or what decided a join, for the evidence of joins (P 9.8). */
export interface Decision {
  readonly token: TokenKey;
  readonly verdict: 'accept' | 'refuse' | 'fail';
  readonly by: Caller;
}

/** Everything that one input changes, to be committed at once (P 5.3). Filled in one lane, then written. */
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
  /** Are those who watch told of the refusal? */
  isRefusalNews: boolean;
  /** The numbers of this pair are used up: what should have been said stays unsaid (P 5.1). */
  exhausted: boolean;
  /** The device lost what waited for it at the broker: what it owes an answer to is asked again now. */
  isGreeting: boolean;
}

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

export function setRow(change: Change, columns: Partial<DeviceRow>): void {
  change.record = { ...change.record, row: { ...change.record.row, ...columns } };
}

/** The message's number is used up and its sender proven to be alive, whatever the exchange says to it (P 5.3). */
export function addProof(change: Change, { window }: Fresh): void {
  change.record = { ...change.record, window, provenAt: change.at };
}

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

/** The number is taken here and committed with the rest, before anything is signed or leaves (P 5.1). */
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

/** A message that was proven and fresh, but that its exchange does not want. */
export function addRefusal(change: Change, code: NewRefusal['code'], topic: string, fresh: Fresh): void {
  const { type, sender } = fresh.message;
  change.refusal = { at: change.at, code, claimed_sender: identityText(sender), topic, type };
}
