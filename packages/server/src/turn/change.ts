import {
  confirmsCommands,
  encode,
  identityText,
  nextSequence,
  runningDigest,
  tokenKey,
  type Caller,
  type Draft,
  type Fresh,
  type Identity,
  type NewAuditEntry,
  type ServerEffect,
  type ServerExchange,
  type ServerStep,
  type TokenKey,
} from '@srup/protocol';
import type { DeviceRow, NewMessage, NewRefusal } from '../store/tables.ts';
import type { DeviceRecord } from '../peers/records.ts';
import type { SoftwareProof } from '../peers/software.ts';

/** After a device left for good, the time in which our last answer can reach it, in milliseconds. */
export const REVOKE_DELAY_MS = 10_000;

const UNSIGNED = new Uint8Array(0);

/** A message that takes its number with the change. Unsigned, it is signed and stored again before it leaves. */
export interface Outgoing {
  readonly sequence: bigint;
  readonly message: Uint8Array;
  /** What is kept as evidence of a message that is signed already. */
  readonly sent?: NewMessage;
}

/** Everything that one input changes, to be committed at once (P 5.3). Filled by one lane, then written. */
export interface Change {
  readonly at: number;
  /** Undefined for a device that is not stored yet. */
  readonly before: DeviceRecord | undefined;
  record: DeviceRecord;
  readonly exchanges: Map<TokenKey, ServerExchange>;
  /** Those that were open until now, or never were. */
  readonly ended: ServerExchange[];
  outgoing: readonly Outgoing[];
  readonly accepted: NewMessage[];
  readonly data: { readonly dataId: string; readonly bytes: Uint8Array }[];
  readonly decisions: {
    readonly token: TokenKey;
    readonly verdict: 'accept' | 'refuse' | 'fail';
    readonly by: Caller;
  }[];
  readonly software: SoftwareProof[];
  /** What an operator said. */
  readonly orders: NewAuditEntry[];
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
    orders: [],
    isRefusalNews: false,
    exhausted: false,
    isGreeting: false,
  };
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

export function addStep(change: Change, step: ServerStep, serverId: Identity): void {
  change.exchanges.set(step.state.token, step.state);
  for (const effect of step.effects) addEffect(change, effect, step.state, serverId);
}

function addEffect(change: Change, effect: ServerEffect, exchange: ServerExchange, serverId: Identity): void {
  switch (effect.do) {
    case 'send':
      addDraft(change, effect.draft, serverId);
      break;
    case 'stand':
      // Now and not later, so that nothing can be sent to it any more when the process dies in between (P 10.8).
      setRow(change, {
        standing: effect.standing,
        revoke_at: effect.standing === 'deregistered' ? change.at + REVOKE_DELAY_MS : null,
      });
      break;
    case 'prove':
      setRow(change, proven(change, effect.what, effect.digest, exchange));
      addSoftware(change, effect.what, effect.digest, exchange);
      break;
    case 'record':
      change.data.push({ dataId: effect.dataId, bytes: effect.data });
      break;
    case 'identify':
      setRow(change, {
        identification: effect.identification,
        confirms: confirmsCommands(effect.identification) ? 1 : 0,
      });
      addNamed(change, effect.identification, exchange.token);
      break;
  }
}

function setRow(change: Change, columns: Partial<DeviceRow>): void {
  change.record = { ...change.record, row: { ...change.record.row, ...columns } };
}

const NOTHING_STAGED = { staged_digest: null, staged_at: null, staged_token: null };

/** Only a RESPONSE of this very device leads here: the view is the device's truth, not our hope. */
function proven(
  change: Change,
  what: 'staged' | 'active' | 'reverted',
  digest: string,
  exchange: ServerExchange,
): Partial<DeviceRow> {
  const { token } = exchange;
  if (what === 'staged') return { staged_digest: digest, staged_at: change.at, staged_token: token };
  const { row } = change.record;
  const unstaged = row.staged_digest === digest ? NOTHING_STAGED : {};
  const orderedAt = (exchange.kind === 'update' ? exchange.activatedAt : undefined) ?? exchange.openedAt;
  // Repeated from memory: the device has activated something else since.
  const isOutdated = row.running_ordered_at !== null && orderedAt < row.running_ordered_at;
  if (what === 'reverted' || isOutdated) return unstaged;
  return {
    running_digest: digest,
    running_at: change.at,
    running_token: token,
    running_ordered_at: orderedAt,
    ...unstaged,
  };
}

/** After `proven`: what is outdated changed nothing there, and changes nothing here. */
function addSoftware(
  { record, software }: Change,
  what: 'staged' | 'active' | 'reverted',
  digest: string,
  exchange: ServerExchange,
): void {
  const { token } = exchange;
  if (what === 'reverted') software.push({ what: 'failed', digest, token });
  if (what !== 'active' || record.row.running_token !== token) return;
  const isRollback = exchange.kind === 'update' && exchange.isRollback === true;
  software.push({ what: isRollback ? 'restored' : 'active', digest, token });
}

/** What came with the device is known from its own signed word only. */
function addNamed({ software }: Change, identification: string, token: TokenKey): void {
  const digest = runningDigest(identification);
  if (digest !== undefined) software.push({ what: 'named', digest, token });
}

/** The number is taken here and committed with the rest, before anything is signed or leaves (P 5.1). */
function addDraft(change: Change, draft: Draft, serverId: Identity): void {
  const { sent, window } = change.record;
  let sequence: bigint;
  try {
    sequence = nextSequence({ sent, highest: window.highest });
  } catch (fault) {
    if (!(fault instanceof RangeError)) throw fault;
    change.exhausted = true;
    return;
  }
  const message = encode({ ...draft, sequence, sender: serverId }).assemble(UNSIGNED);
  change.outgoing = [...change.outgoing, { sequence, message }];
  change.record = { ...change.record, sent: sequence };
}

/** A message that was proven and fresh, but that its exchange does not want. */
export function addRefusal(change: Change, code: NewRefusal['code'], topic: string, fresh: Fresh): void {
  const { type, sender } = fresh.message;
  change.refusal = { at: change.at, code, claimed_sender: identityText(sender), topic, type };
}
