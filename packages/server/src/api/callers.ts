/** Who gives an order, for each way in which one can be given. */
import type { Caller } from '@srup/protocol';

/** A program that runs this server inside itself (the SDK), and every order that names no caller. */
export const PROGRAM: Caller = { kind: 'program', id: 'sdk', name: 'sdk' };

/** The first start after `srup restore`. */
export const RESTORE: Caller = { kind: 'program', id: 'restore', name: 'restore' };

/** A timeout of an exchange. */
export const TIMEOUT: Caller = { kind: 'time', id: 'timeout', name: 'timeout' };

/** Whoever holds the one-time token that the server shows at its start, before there is any API token. */
export const SET_UP: Caller = { kind: 'token', id: 'set-up', name: 'the set-up token' };

/**
 * The join policy that decides for a device of this type (P 9.1).
 *
 * @example
 * callerText(policyCaller('pump')); // 'policy pump'
 */
export function policyCaller(type: string): Caller {
  return { kind: 'policy', id: type, name: type };
}

/**
 * The holder of an API token. Names need not be unique, so the id is part of the value.
 *
 * @example
 * tokenCaller({ id: '3f2a91c0-...', name: 'night shift' }); // { kind: 'token', id: '3f2a91c0-...', name: 'night shift' }
 */
export function tokenCaller({ id, name }: Pick<Caller, 'id' | 'name'>): Caller {
  return { kind: 'token', id, name };
}
