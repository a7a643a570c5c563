/** What a step of a device knows of tokens: one token is one transaction, and a finished one stays finished (P 6). */
import { STATUS } from '../message/status.ts';
import type { TokenKey } from '../token.ts';
import type { DeviceEffect, DeviceStep } from './device-step.ts';
import type { DeviceExchange, DeviceMemory, DeviceState, Finished } from './device-state.ts';
import type { Moment, Step } from './step.ts';

/**
 * Most exchanges of a kind that a server may have open with a device at once. An update takes space on the disk; an
 * action waits its turn, and a device that was away finds many.
 */
export const MAX_OPEN = { update: 16, action: 256 } as const;
/**
 * The state in the middle of a step: what is open, what was remembered before, and what this step has finished so far.
 * A step only reads the memory, so it costs the same whatever is remembered.
 */
export interface WorkingState extends DeviceState {
  readonly memory: DeviceMemory;
  /** In the order in which they were finished. */
  readonly finished: ReadonlyMap<TokenKey, Finished>;
  /** The latest `at` of all that is finished. */
  readonly newest: number;
}

export type WorkingStep = Step<WorkingState, DeviceEffect>;

/** Runs one step: `work` gets the state to work on, and what it finished becomes part of the result. */
export function stepWith(
  state: DeviceState,
  memory: DeviceMemory,
  work: (state: WorkingState) => WorkingStep,
): DeviceStep {
  const step = work({ ...state, memory, finished: new Map(), newest: memory.newest });
  const { join, open, finished } = step.state;
  return { ...step, state: { join, open }, finished: [...finished] };
}

/** An own entry only: a token may be called `__proto__` or `constructor`. */
function entry<Value>(record: Readonly<Record<TokenKey, Value>>, token: TokenKey): Value | undefined {
  return Object.hasOwn(record, token) ? record[token] : undefined;
}

function without<Value>(record: Readonly<Record<TokenKey, Value>>, token: TokenKey): Record<TokenKey, Value> {
  const { [token]: _removed, ...rest } = record;
  return rest;
}

export function openOf(state: Pick<DeviceState, 'open'>, token: TokenKey): DeviceExchange | undefined {
  return entry(state.open, token);
}

export function finishedOf(state: WorkingState, token: TokenKey): Finished | undefined {
  return state.finished.get(token) ?? state.memory.get(token);
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
  state: WorkingState,
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

export function isLeaving(state: Pick<DeviceState, 'open'>): boolean {
  return Object.values(state.open).some(({ kind }) => kind === 'leave');
}

export function open(state: WorkingState, token: TokenKey, exchange: DeviceExchange): WorkingState {
  return { ...state, open: { ...state.open, [token]: exchange } };
}

/** Ends the exchange of a token, if one is open, and remembers the token. */
export function finish(
  state: WorkingState,
  token: TokenKey,
  finished: Omit<Finished, 'at' | 'undated'>,
  moment: Moment,
): WorkingState {
  const at = Math.max(moment.now, state.newest + 1);
  const entries = new Map(state.finished);
  entries.delete(token); // it moves behind the others
  entries.set(token, { ...finished, at, ...(!moment.trusted && { undated: true }) });
  return { ...state, open: without(state.open, token), finished: entries, newest: at };
}

export function hasRoom(state: Pick<DeviceState, 'open'>, kind: keyof typeof MAX_OPEN): boolean {
  return Object.values(state.open).filter((one) => one.kind === kind).length < MAX_OPEN[kind];
}

/**
 * The state with room for one more update; undefined when there is none. SRUP has no word for "given up", so a
 * server may leave staged updates behind: the oldest of them gives way, or the device could never update again.
 */
export function makeRoom(state: WorkingState, moment: Moment): WorkingState | undefined {
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
