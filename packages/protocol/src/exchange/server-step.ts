/** What goes into a server's step, and what comes out. */
import type { Fresh } from '../trust/replay.ts';
import type { ServerExchange, Standing } from './server-exchange.ts';
import type { SendEffect, Step } from './step.ts';

/** What the policy says to a join (P 9.1). */
export type JoinVerdict = 'accept' | 'refuse' | 'fail' | 'ask';

export type ServerInput =
  | { readonly on: 'message'; readonly message: Fresh }
  | { readonly on: 'time' }
  /** Activate a staged update. */
  | { readonly on: 'activate' }
  /** Cancel an update that is not activated. */
  | { readonly on: 'cancel' }
  /** Decide a pending join: an operator's decision. */
  | { readonly on: 'decide'; readonly verdict: Exclude<JoinVerdict, 'ask'> }
  /** The device identified itself under another token, as pySRUP does. That answers an open ID_REQUEST. */
  | { readonly on: 'identified'; readonly identification: string };

/** What an operator can order. Each command opens one exchange. */
export type ServerCommand =
  | {
      readonly kind: 'update';
      readonly url: string;
      readonly digest: string;
      readonly activateAtOnce: boolean;
      /** Go back to what this device ran before (P 10.12). On the wire it is an update like any other. */
      readonly isRollback?: true;
    }
  | { readonly kind: 'action'; readonly actionId: number }
  | { readonly kind: 'data'; readonly dataId: string; readonly data: Uint8Array }
  | { readonly kind: 'identify' }
  | { readonly kind: 'terminate' }
  | { readonly kind: 'deregister' };

/** What the server knows and has decided before a step. */
export interface ServerFacts {
  /** The device is known to confirm ACTION, ACTIVATE, RESIGN, DEREGISTER (P 10.7). */
  readonly confirms: boolean;
  /** What the policy says to a join of this device. */
  readonly joinVerdict: JoinVerdict;
  readonly joined: boolean;
  /** A dismissal of this device (exchange `leave`, phase `sent`) waits for its answer. Until then no join is accepted. */
  readonly dismissing?: boolean;
  /** Tells whether this data id is declared for the device's type, or all ids are taken (P 10.6). */
  takesData(dataId: string): boolean;
}

/** What a step asks for. Everything else follows from the new state, which the server stores and shows. */
export type ServerEffect =
  | SendEffect
  /** The device's standing changes (P 9): joined, refused, failed, resigned, terminated, deregistered, pending. */
  | { readonly do: 'stand'; readonly standing: Standing }
  /** It is proven that this device staged, runs, or went back from this digest. */
  | { readonly do: 'prove'; readonly what: 'staged' | 'active' | 'reverted'; readonly digest: string }
  /** Record DATA, for the owner to see. */
  | { readonly do: 'record'; readonly dataId: string; readonly data: Uint8Array }
  | { readonly do: 'identify'; readonly identification: string };

export type ServerStep = Step<ServerExchange, ServerEffect>;
