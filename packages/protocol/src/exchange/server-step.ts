/** What goes into a server's step, and what comes out. */
import type { Fresh } from '../trust/replay.ts';
import type { ServerExchange, Standing } from './server-exchange.ts';
import type { SendEffect, Step } from './step.ts';

/** The policy's word on a join (P 9.1). */
export type JoinVerdict = 'accept' | 'refuse' | 'fail' | 'ask';

export type ServerInput =
  | { readonly on: 'message'; readonly message: Fresh }
  | { readonly on: 'time' }
  /** ACTIVATE a staged update. */
  | { readonly on: 'activate' }
  /** Give up an update that is not activated. */
  | { readonly on: 'cancel' }
  /** The operator's word on a pending join. */
  | { readonly on: 'decide'; readonly verdict: Exclude<JoinVerdict, 'ask'> }
  /** The device named itself under another token, as pySRUP does: an open ID_REQUEST is answered. */
  | { readonly on: 'identified'; readonly identification: string };

/** What an operator's command begins. */
export type ServerCommand =
  | {
      readonly kind: 'update';
      readonly url: string;
      readonly digest: string;
      readonly activateAtOnce: boolean;
      /** Back to what this device ran before (P 10.12): on the wire an update like any other. */
      readonly isRollback?: true;
    }
  | { readonly kind: 'action'; readonly actionId: number }
  | { readonly kind: 'data'; readonly dataId: string; readonly data: Uint8Array }
  | { readonly kind: 'identify' }
  | { readonly kind: 'terminate' }
  | { readonly kind: 'deregister' };

/** What the server knows and decided before an exchange is asked. */
export interface ServerFacts {
  /** The device is known to confirm ACTION, ACTIVATE, RESIGN, DEREGISTER (P 10.7). */
  readonly confirms: boolean;
  /** What the policy says to a join of this device. */
  readonly joinVerdict: JoinVerdict;
  readonly joined: boolean;
  /**
   * A dismissal of this device (exchange `leave`, phase `sent`) waits for its answer: it is not let in before;
   * absent: there is none.
   */
  readonly dismissing?: boolean;
  /** Is this data id declared for the device's type, or are all taken (P 10.6)? */
  takesData(dataId: string): boolean;
}

/** Everything else follows from the exchange's new state, which the server stores and shows. */
export type ServerEffect =
  | SendEffect
  /** The device's standing changes (P 9): joined, refused, failed, resigned, terminated, deregistered, pending. */
  | { readonly do: 'stand'; readonly standing: Standing }
  /** Proven: this device runs, or staged, this digest. */
  | { readonly do: 'prove'; readonly what: 'staged' | 'active' | 'reverted'; readonly digest: string }
  /** DATA for the owner's eyes. */
  | { readonly do: 'record'; readonly dataId: string; readonly data: Uint8Array }
  | { readonly do: 'identify'; readonly identification: string };

export type ServerStep = Step<ServerExchange, ServerEffect>;
