/** What a server remembers of its conversations with one device. */
import type { TokenKey } from '../token.ts';

/** A device's standing with this server (P 9). */
export type Standing =
  'unknown' | 'pending' | 'refused' | 'failed' | 'joined' | 'resigned' | 'terminated' | 'deregistered';

interface ServerExchangeBase {
  readonly token: TokenKey;
  readonly openedAt: number;
  /** Messages sent for the present phase. */
  readonly attempts: number;
  /** When to give the input `time`, ms since 1970; absent if the exchange waits for nothing. */
  readonly wakeAt?: number;
  /** Status byte of the last answer. */
  readonly status?: number;
}

/**
 * What the server knows of an update. `initiated` and `activating` are not proven. A signed RESPONSE proves `staged`,
 * `active`, `reverted` and `failed`. `unconfirmed`: sent to a device that never confirms (P 10.7). `expired`: no answer in
 * time, so the outcome is unknown. `cancelled`: an operator cancelled it before ACTIVATE.
 */
export interface ServerUpdate extends ServerExchangeBase {
  readonly kind: 'update';
  readonly phase:
    | 'initiated'
    | 'staged'
    | 'activating'
    | 'active'
    | 'reverted'
    | 'failed'
    | 'unconfirmed'
    | 'expired'
    | 'cancelled';
  readonly url: string;
  readonly digest: string;
  /** The server sends ACTIVATE by itself when "staged" arrives. */
  readonly activateAtOnce: boolean;
  /** It goes back to what this device ran before (P 10.12). */
  readonly isRollback?: true;
  readonly confirms: boolean;
  /** When ACTIVATE was first sent. */
  readonly activatedAt?: number;
  /** Why the device deferred the activation, and until when (ms since 1970; P 10.11). */
  readonly deferral?: { readonly reason: string; readonly until?: number };
}

export interface ServerAction extends ServerExchangeBase {
  readonly kind: 'action';
  readonly phase: 'sent' | 'done' | 'unknown' | 'failed' | 'unconfirmed' | 'expired';
  readonly actionId: number;
  readonly confirms: boolean;
}

/**
 * DATA in either direction. Ours is `sent`, or `unknown` if the device answers 3F. The device's is `received`, or
 * `unknown` if we answer 3F.
 */
export interface ServerData extends ServerExchangeBase {
  readonly kind: 'data';
  readonly phase: 'sent' | 'unknown' | 'received';
  readonly by: 'device' | 'server';
  readonly dataId: string;
  /** Fingerprint of the content. It tells a repeat from a conflict (P 6.1). */
  readonly content: string;
  /** The bytes of our DATA as hex, as long as we may have to send it again. */
  readonly bytes?: string;
}

export interface ServerIdentify extends ServerExchangeBase {
  readonly kind: 'identify';
  readonly phase: 'sent' | 'answered' | 'expired';
  readonly identification?: string;
}

/** `pending`: an operator must decide (P 9.1). */
export interface ServerJoin extends ServerExchangeBase {
  readonly kind: 'join';
  readonly phase: 'pending' | 'accepted' | 'refused' | 'failed' | 'expired';
}

export interface ServerLeave extends ServerExchangeBase {
  readonly kind: 'leave';
  readonly phase: 'sent' | 'left' | 'failed' | 'unconfirmed' | 'expired';
  readonly what: 'resign' | 'terminate' | 'deregister';
  readonly by: 'device' | 'server';
  readonly confirms: boolean;
}

export type ServerExchange =
  ServerUpdate | ServerAction | ServerData | ServerIdentify | ServerJoin | ServerLeave;
