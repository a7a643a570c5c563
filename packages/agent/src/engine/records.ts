/** How the engine's memory looks in the store. */
import {
  createMemory,
  EMPTY_WINDOW,
  fromBase64Url,
  initialDevice,
  toBase64Url,
  type Counters,
  type DeviceState,
  type DeviceStep,
  type Finished,
  type KeptMemory,
  type MessageType,
  type ReplayWindow,
  type TokenKey,
} from '@srup/protocol';
import type { Value } from '../vault/journal.ts';
import type { Store } from '../vault/store.ts';

/** What is known of the server, beside the exchanges (P 5). */
export interface PeerRecord {
  /** Last number sent to it. */
  readonly sent: bigint;
  readonly window: ReplayWindow;
  /** When its last message was accepted, ms since 1970. */
  readonly heardAt?: number;
}

/** A signed message on its way: these very bytes leave, however often it takes. */
export interface OutboxEntry {
  /** Order of leaving. */
  readonly n: number;
  readonly topic: string;
  readonly bytes: Uint8Array;
  readonly type: MessageType;
  readonly token: TokenKey;
}

/** The changes of one commit while they are collected. */
export type PendingChanges = Map<string, Value | undefined>;

const PEER = 'peer';
const JOIN = 'join';
const OPEN = 'open/';
const FINISHED = 'finished/';
const OUTBOX = 'outbox/';
const CLOCK = 'clock';
const BOOT = 'boot';

export function countersOf({ sent, window }: PeerRecord): Counters {
  return { sent, highest: window.highest };
}

export function readPeer(store: Store): PeerRecord {
  const stored = store.get(PEER) as
    { sent: string; highest: string; seen: string; heardAt?: number } | undefined;
  if (stored === undefined) return { sent: 0n, window: EMPTY_WINDOW };
  const { sent, highest, seen, heardAt } = stored;
  const window = { highest: BigInt(highest), seen: BigInt(seen) };
  return { sent: BigInt(sent), window, ...(heardAt !== undefined && { heardAt }) };
}

export function writePeer(changes: PendingChanges, { sent, window, heardAt }: PeerRecord): void {
  const numbers = { sent: String(sent), highest: String(window.highest), seen: String(window.seen) };
  changes.set(PEER, { ...numbers, ...(heardAt !== undefined && { heardAt }) });
}

/** The state is plain JSON by its contract. */
export function readState(store: Store): DeviceState {
  const join = store.get(JOIN) as DeviceState['join'] | undefined;
  return {
    ...initialDevice(),
    ...(join && { join }),
    open: Object.fromEntries(store.under(OPEN)) as unknown as DeviceState['open'],
  };
}

/** Finished tokens, each a record of its own. */
export function readMemory(store: Store): KeptMemory {
  return createMemory(store.under(FINISHED) as unknown as [TokenKey, Finished][]);
}

/** Only what changed: states share what did not. */
export function writeState(changes: PendingChanges, before: DeviceState, after: DeviceState): void {
  if (after.join !== before.join) changes.set(JOIN, after.join as unknown as Value);
  writeRecord(changes, OPEN, before.open, after.open);
}

export function writeFinished(changes: PendingChanges, finished: DeviceStep['finished']): void {
  for (const [token, value] of finished) changes.set(FINISHED + token, value as unknown as Value);
}

/** Comes before `writeFinished`: a forgotten token may be finished again. */
export function removeForgotten(changes: PendingChanges, tokens: Iterable<TokenKey>): void {
  for (const token of tokens) changes.set(FINISHED + token, undefined);
}

function writeRecord(
  changes: PendingChanges,
  prefix: string,
  before: Readonly<Record<string, object>>,
  after: Readonly<Record<string, object>>,
): void {
  if (before === after) return;
  for (const [token, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, token) || before[token] !== value) changes.set(prefix + token, value as Value);
  }
  for (const token of Object.keys(before)) {
    if (!Object.hasOwn(after, token)) changes.set(prefix + token, undefined);
  }
}

export function readOutbox(store: Store): OutboxEntry[] {
  return store
    .under(OUTBOX)
    .map(([n, stored]) => {
      const { topic, bytes, type, token } = stored as {
        topic: string;
        bytes: string;
        type: MessageType;
        token: string;
      };
      return { n: Number(n), topic, bytes: fromBase64Url(bytes) as Uint8Array, type, token };
    })
    .sort((a, b) => a.n - b.n);
}

export function writeOutgoing(changes: PendingChanges, { n, topic, bytes, type, token }: OutboxEntry): void {
  changes.set(`${OUTBOX}${n}`, { topic, bytes: toBase64Url(bytes), type, token });
}

export function removeOutgoing(changes: PendingChanges, n: number): void {
  changes.set(`${OUTBOX}${n}`, undefined);
}

/** Latest time that was ever committed, ms since 1970. */
export function readClockFloor(store: Store): number {
  return (store.get(CLOCK) as number | undefined) ?? 0;
}

export function writeClockFloor(changes: PendingChanges, floor: number): void {
  changes.set(CLOCK, floor);
}

/** Which start of the system the last commit was made in. */
export function readBoot(store: Store): string | undefined {
  return store.get(BOOT) as string | undefined;
}

export function writeBoot(changes: PendingChanges, boot: string): void {
  changes.set(BOOT, boot);
}
