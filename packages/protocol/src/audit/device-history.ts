/** What a history proves about one device, message by message. */
import type { Authentic } from '../trust/authentic.ts';
import { EMPTY_WINDOW, type ReplayWindow } from '../trust/peer.ts';
import { advance } from '../trust/replay.ts';
import type { VerifyKey } from '../trust/suite.ts';
import { STATUS, statusName } from '../message/status.ts';
import { tokenKey, type TokenKey } from '../token.ts';
import type { Caller } from './caller.ts';
import type { AuditFault } from './findings.ts';

/** Transactions of one device that are held. A receipt for an older one can't be matched. */
const TOKENS_HELD = 2_000;
/** Proofs that the report lists for one device: the last ones. It counts the rest. */
export const FACTS_TOLD = 20;

interface Asked {
  by?: Caller | string;
  digest?: string;
  isInitiated?: boolean;
  isActivated?: boolean;
  isSent?: boolean;
  verdict?: string;
  isJoinAsked?: boolean;
}

/** `at`: ms since 1970, by the server's clock. */
export interface Fact {
  readonly what: 'joined' | 'staged' | 'ran' | 'reverted';
  readonly seq: number;
  readonly at: number;
  readonly token: TokenKey;
  readonly digest?: string;
  /** Who ordered or decided it, as the server says. */
  readonly by?: Caller | string;
}

/** Messages of one entry that are not in the file. */
export interface Missing {
  /** The message that was kept longest. */
  readonly id: number;
  readonly seq: number;
  readonly count: number;
  /** There can be telemetry among them. */
  readonly isData: boolean;
}

export interface DeviceHistory {
  readonly id: string;
  type: string;
  suite: string;
  key: VerifyKey | undefined;
  /** Fingerprint of the key; empty while no key is known. */
  keyFingerprint: string;
  /** Messages whose signature was verified. */
  verifiedIn: number;
  verifiedOut: number;
  /** Messages known only by their hash. They were removed to make room, as the history says. */
  trimmed: number;
  /** Receipts whose order is not in the part that the file shows. */
  unmatched: number;
  /** How many receipts there are, by the name of their status. */
  readonly receipts: Record<string, number>;
  readonly facts: Fact[];
  factCount: number;
  /** Some of its messages are not in the file, so an order can be missing. */
  isPartial: boolean;
  /** Messages, and telemetry, with an id up to this one can be gone. */
  trimmedThrough: number;
  dataTrimmedThrough: number;
  readonly missing: Missing[];
  readonly windows: { in: ReplayWindow; out: ReplayWindow };
  readonly asked: Map<TokenKey, Asked>;
}

export function beginDevice(id: string): DeviceHistory {
  return {
    id,
    type: '',
    suite: '',
    key: undefined,
    keyFingerprint: '',
    verifiedIn: 0,
    verifiedOut: 0,
    trimmed: 0,
    unmatched: 0,
    receipts: {},
    facts: [],
    factCount: 0,
    isPartial: false,
    trimmedThrough: 0,
    dataTrimmedThrough: 0,
    missing: [],
    windows: { in: EMPTY_WINDOW, out: EMPTY_WINDOW },
    asked: new Map(),
  };
}

interface Place {
  readonly seq: number;
  readonly at: number;
}

/** What is wrong: a code, and words for people. */
export type Complaint = readonly [code: AuditFault, detail: string];

/** Takes an entry that says who ordered what. */
export function takeOrder(
  device: DeviceHistory,
  token: TokenKey,
  by: Caller | string,
  digest?: string,
): void {
  const asked = ask(device, token);
  asked.by = by;
  if (digest !== undefined) asked.digest = digest;
}

export function takeDecision(
  device: DeviceHistory,
  token: TokenKey,
  by: Caller | string,
  verdict: string,
): void {
  Object.assign(ask(device, token), { by, verdict });
}

/** Takes a message whose signature holds, and returns what does not fit. */
export function takeMessage(
  device: DeviceHistory,
  direction: 'in' | 'out',
  { message }: Authentic,
  place: Place,
): Complaint[] {
  if (direction === 'in') device.verifiedIn += 1;
  else device.verifiedOut += 1;
  const complaints = takeNumber(device, direction, message.sequence);
  const token = tokenKey(message.token);
  if (direction === 'out') takeOutgoing(device, message, token, place, complaints);
  else if (message.type === 'RESPONSE') takeReceipt(device, message.body.status, token, place, complaints);
  else if (message.type === 'JOIN_REQ') ask(device, token).isJoinAsked = true;
  return complaints;
}

/** P 5.2. Our own messages can be out of order by more than the window: one that waited was signed later. */
function takeNumber(device: DeviceHistory, direction: 'in' | 'out', sequence: bigint): Complaint[] {
  const next = advance(device.windows[direction], sequence, true, 0n);
  if (next.ok) {
    device.windows[direction] = next.value;
    return [];
  }
  if (next.code === 'REPLAY_OLD' && direction === 'out') return [];
  return [['COUNTER', `the number ${sequence} was used before, or is far below the ones before it`]];
}

function takeOutgoing(
  device: DeviceHistory,
  message: Authentic['message'],
  token: TokenKey,
  place: Place,
  complaints: Complaint[],
): void {
  if (message.type === 'RESPONSE') {
    const asked = device.asked.get(token);
    if (message.body.status !== STATUS.JOIN_SUCCESS || asked?.verdict !== 'accept') return;
    // A device that asks again is answered again. That is one fact.
    if (asked.isSent !== true && asked.isJoinAsked === true) addFact(device, 'joined', token, asked, place);
    asked.isSent = true;
    return;
  }
  const asked = ask(device, token);
  asked.isSent = true;
  if (message.type === 'ACTIVATE') asked.isActivated = true;
  if (message.type !== 'INITIATE') return;
  const { digest } = message.body;
  if (asked.digest !== undefined && asked.digest !== digest) {
    complaints.push(['CONTENT', `the order names the digest ${asked.digest}, the INITIATE ${digest}`]);
  }
  asked.digest = digest;
  asked.isInitiated = true;
}

function takeReceipt(
  device: DeviceHistory,
  status: number,
  token: TokenKey,
  place: Place,
  complaints: Complaint[],
): void {
  const name = statusName(status) ?? `0x${status.toString(16)}`;
  device.receipts[name] = (device.receipts[name] ?? 0) + 1;
  const asked = device.asked.get(token);
  const isActivation = status === STATUS.ACTIVATE_SUCCESS || status === STATUS.ACTIVATE_FAIL;
  const isUpdate = isActivation || status === STATUS.UPDATE_SUCCESS;
  const isMatched =
    asked?.isSent === true &&
    (!isUpdate || asked.isInitiated === true) &&
    (!isActivation || asked.isActivated === true);
  if (!isMatched) {
    device.unmatched += 1;
    // P 6.3. In a whole history this means that the answer was forged, or its order removed.
    if (!device.isPartial)
      complaints.push(['TOKEN', `${name} for the token ${token}, which asked for no such thing`]);
    return;
  }
  if (status === STATUS.UPDATE_SUCCESS) addFact(device, 'staged', token, asked, place);
  else if (status === STATUS.ACTIVATE_SUCCESS) addFact(device, 'ran', token, asked, place);
  else if (status === STATUS.ACTIVATE_FAIL) addFact(device, 'reverted', token, asked, place);
}

function addFact(
  device: DeviceHistory,
  what: Fact['what'],
  token: TokenKey,
  { digest, by }: Asked,
  { seq, at }: Place,
): void {
  const details = { ...(digest !== undefined && { digest }), ...(by !== undefined && { by }) };
  device.facts.push({ what, seq, at, token, ...details });
  device.factCount += 1;
  if (device.facts.length > FACTS_TOLD) device.facts.shift();
}

function ask(device: DeviceHistory, token: TokenKey): Asked {
  const known = device.asked.get(token);
  if (known !== undefined) return known;
  const asked: Asked = {};
  device.asked.set(token, asked);
  if (device.asked.size > TOKENS_HELD) {
    device.asked.delete(device.asked.keys().next().value as TokenKey);
    device.isPartial = true;
  }
  return asked;
}
