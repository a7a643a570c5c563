/** What a device remembers of tokens: one token is one transaction, and a finished one stays finished (P 6). */
import { STATUS } from '../message/status.ts';
import type { TokenKey } from '../token.ts';
import type { DeviceExchange, DeviceState, Finished } from './device-state.ts';
import type { Moment } from './step.ts';

/**
 * Exchanges of a kind that a server may have open with a device at once. An update takes a place on the disk; an action
 * waits its turn, and a device that was away finds many.
 */
export const MAX_OPEN = { update: 16, action: 256 } as const;
/** Finished tokens are kept at least this long, and at least this many of them (P 6.4). */
export const FINISHED_MS = 30 * 24 * 60 * 60 * 1000;
export const MIN_FINISHED = 256;
/** Most that are kept at all: a bound of memory, whatever the server does. */
export const MAX_FINISHED = 10_000;

/** An own entry only: a token may be called `__proto__` or `constructor`. */
function entry<Value>(record: Readonly<Record<TokenKey, Value>>, token: TokenKey): Value | undefined {
  return Object.hasOwn(record, token) ? record[token] : undefined;
}

function without<Value>(record: Readonly<Record<TokenKey, Value>>, token: TokenKey): Record<TokenKey, Value> {
  const { [token]: _removed, ...rest } = record;
  return rest;
}

export function openOf(state: DeviceState, token: TokenKey): DeviceExchange | undefined {
  return entry(state.open, token);
}

export function finishedOf(state: DeviceState, token: TokenKey): Finished | undefined {
  return entry(state.finished, token);
}

/** What a token of a server's command already stands for (P 5.4, 6.1). */
export type Recalled<Kind extends Finished['kind']> =
  | { readonly seen: 'never' }
  | { readonly seen: 'open'; readonly exchange: Extract<DeviceExchange, { kind: Kind }> }
  | { readonly seen: 'over'; readonly finished: Finished }
  /** For another transaction, or for this kind with another content. */
  | { readonly seen: 'otherwise' };

/** `content` absent: the message says nothing but its token. */
export function recall<Kind extends Finished['kind']>(
  state: DeviceState,
  token: TokenKey,
  kind: Kind,
  content?: string,
): Recalled<Kind> {
  const exchange = openOf(state, token);
  if (exchange !== undefined) {
    const same = exchange.kind === kind && (content === undefined || contentOf(exchange) === content);
    return same
      ? { seen: 'open', exchange: exchange as Extract<DeviceExchange, { kind: Kind }> }
      : { seen: 'otherwise' };
  }
  const finished = finishedOf(state, token);
  if (finished !== undefined) {
    const same = finished.kind === kind && (content === undefined || finished.content === content);
    return same ? { seen: 'over', finished } : { seen: 'otherwise' };
  }
  const joining = state.join.phase === 'asking' && state.join.token === token;
  return { seen: joining ? 'otherwise' : 'never' };
}

export function contentOf(exchange: DeviceExchange): string {
  switch (exchange.kind) {
    case 'update':
      return exchange.digest;
    case 'action':
      return String(exchange.actionId);
    case 'leave':
      return exchange.what;
  }
}

export function isLeaving(state: DeviceState): boolean {
  return Object.values(state.open).some(({ kind }) => kind === 'leave');
}

export function open(state: DeviceState, token: TokenKey, exchange: DeviceExchange): DeviceState {
  return { ...state, open: { ...state.open, [token]: exchange } };
}

/** Ends the exchange of a token, if one is open, and remembers the token. */
export function finish(
  state: DeviceState,
  token: TokenKey,
  finished: Omit<Finished, 'at' | 'undated'>,
  moment: Moment,
): DeviceState {
  const newest = Object.values(state.finished).reduce((latest, { at }) => Math.max(latest, at), 0);
  const at = Math.max(moment.now, newest + 1);
  const dated: Finished = { ...finished, at, ...(!moment.trusted && { undated: true }) };
  const entries = { ...state.finished, [token]: dated };
  return { ...state, open: without(state.open, token), finished: forget(entries, moment) };
}

/** Drops what is older than 30 days beyond the newest 256, and the oldest beyond 10,000 (P 6.4). */
function forget(
  finished: Readonly<Record<TokenKey, Finished>>,
  { now, trusted }: Moment,
): Record<TokenKey, Finished> {
  const entries = Object.entries(finished);
  // An unset clock knows no age: a device that wakes up in 2099 must not forget all.
  const isOld = ({ at, undated }: Finished) => trusted && undated !== true && now - at > FINISHED_MS;
  const mayDrop =
    entries.length > MAX_FINISHED || (entries.length > MIN_FINISHED && entries.some(([, it]) => isOld(it)));
  if (!mayDrop) return finished;
  const newestFirst = entries.sort(([, a], [, b]) => b.at - a.at);
  return Object.fromEntries(
    newestFirst.filter(([, it], rank) => rank < MIN_FINISHED || (rank < MAX_FINISHED && !isOld(it))),
  );
}

export function hasRoom(state: DeviceState, kind: keyof typeof MAX_OPEN): boolean {
  return Object.values(state.open).filter((one) => one.kind === kind).length < MAX_OPEN[kind];
}

/**
 * The state with room for one more update; undefined when there is none. SRUP has no word for "given up", so a
 * server may leave staged updates behind: the oldest of them gives way, or the device would be shut for good.
 */
export function makeRoom(state: DeviceState, moment: Moment): DeviceState | undefined {
  if (hasRoom(state, 'update')) return state;
  const entries = Object.entries(state.open);
  const staged = entries.filter(([, exchange]) => exchange.kind === 'update' && exchange.phase === 'staged');
  const oldest = staged.sort(([, a], [, b]) => a.openedAt - b.openedAt)[0];
  if (oldest === undefined) return undefined;
  const [token, exchange] = oldest;
  const content = contentOf(exchange);
  return finish(
    state,
    token,
    { kind: 'update', result: 'superseded', answer: STATUS.ACTIVATE_FAIL, content },
    moment,
  );
}
