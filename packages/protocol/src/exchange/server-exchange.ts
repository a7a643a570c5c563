/** What a server remembers of its conversations with one device. */
import type { TokenKey } from '../token.ts';

/** P 9. */
export type Standing =
  'unknown' | 'pending' | 'refused' | 'failed' | 'joined' | 'resigned' | 'terminated' | 'deregistered';

interface ServerExchangeBase {
  readonly token: TokenKey;
  readonly openedAt: number;
  /** Messages sent for the present phase. */
  readonly attempts: number;
  /** When to be called with input `time`; absent when nothing is waited for. */
  readonly wakeAt?: number;
  /** Status byte of the last answer. */
  readonly status?: number;
}

/**
 * What the server knows of an update. `initiated` and `activating` are hopes; `staged`, `active`, `reverted` and
 * `failed` are proven by a signed RESPONSE; `unconfirmed`: sent to a device that never confirms (P 10.7);
 * `expired`: no answer in time, the outcome is unknown; `cancelled` by an operator before ACTIVATE.
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
  /** ACTIVATE follows on the receipt of "staged" by itself. */
  readonly activateAtOnce: boolean;
  /** Back to what this device ran before (P 10.12). */
  readonly isRollback?: true;
  readonly confirms: boolean;
  /** When ACTIVATE was first sent. */
  readonly activatedAt?: number;
  /** Why and until when the device put the activation off (P 10.11). */
  readonly deferral?: { readonly reason: string; readonly until?: number };
}

export interface ServerAction extends ServerExchangeBase {
  readonly kind: 'action';
  readonly phase: 'sent' | 'done' | 'unknown' | 'failed' | 'unconfirmed' | 'expired';
  readonly actionId: number;
  readonly confirms: boolean;
}

/** DATA either way. Ours: `sent`, or `unknown` when the device says 3F. Theirs: `received`, or `unknown` when we do. */
export interface ServerData extends ServerExchangeBase {
  readonly kind: 'data';
  readonly phase: 'sent' | 'unknown' | 'received';
  readonly by: 'device' | 'server';
  readonly dataId: string;
  /** Fingerprint of what came, to tell a repeat from a conflict (P 6.1). */
  readonly content: string;
  /** Of ours, as hex, as long as it may have to be sent again. */
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
