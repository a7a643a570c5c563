/**
 * The words in which exchanges speak with the agent and the server. States are plain JSON values, so that a store
 * can keep them; effects are data, and only agent and server know how to perform them. A state is committed before
 * its effects are performed, and every effect may be performed again (after a restart, `resume...` names those that
 * are still owed).
 */
import type { FlowCode } from '../faults.ts';
import type { Identity } from '../identity.ts';
import type { Draft } from '../outbound.ts';
import type { Fresh } from '../security/replay.ts';
import type { TokenKey } from '../token.ts';

/** The outcome of one input. `refused`: the message was genuine and fresh, but the exchange does not want it. */
export interface Step<State, Effect> {
  readonly state: State;
  readonly effects: readonly Effect[];
  readonly refused?: FlowCode;
}

export interface SendEffect {
  readonly do: 'send';
  readonly draft: Draft;
}

// ---------------------------------------------------------------- device

/** Why a fetch failed, in the words of P 3: FC, FD, FE, FF. */
export type FetchOutcome = 'ok' | 'http-error' | 'no-server' | 'no-file' | 'bad-digest';
export type InstallOutcome = 'active' | 'reverted' | 'deferred';
export type ActOutcome = 'done' | 'unknown' | 'failed';
export type DataOutcome = 'taken' | 'unknown';

/** P 10.1. `idle` is the absence of an update; `active`, `reverted` and `failed` are results in `Finished`. */
export interface DeviceUpdate {
  readonly kind: 'update';
  readonly phase: 'fetching' | 'staged' | 'activating';
  readonly url: string;
  readonly digest: string;
  readonly openedAt: number;
  /** A deferred installation is tried again then, by itself: the server does not know deferrals (P 10.11). */
  readonly wakeAt?: number;
}

/** P 10.5. An action runs at most once: a restart while it runs is answered, not repeated. */
export interface DeviceAction {
  readonly kind: 'action';
  readonly phase: 'running';
  readonly actionId: number;
  readonly openedAt: number;
}

/** P 10.8, opened by this device. */
export interface DeviceLeave {
  readonly kind: 'leave';
  readonly phase: 'asked';
  readonly what: 'resign' | 'deregister';
  readonly openedAt: number;
  readonly attempts: number;
  readonly wakeAt: number;
}

export type DeviceExchange = DeviceUpdate | DeviceAction | DeviceLeave;

/** What is remembered of an exchange that is over (P 6.4). */
export interface Finished {
  readonly kind: 'update' | 'action' | 'data' | 'identify' | 'leave' | 'join';
  /** `active`, `reverted`, `failed`, `done`, `unknown`, `taken`, `left`, `expired`... */
  readonly result: string;
  /** Status byte of the answer that a repeated message gets again; absent where there is none. */
  readonly answer?: number;
  /** What the token stood for (digest, action id...), to tell a repeat from a conflict. */
  readonly content: string;
  /** When, ms since 1970; but always later than those before it, whatever the clock said. */
  readonly at: number;
  /** The clock was not believed then: `at` says the order only, and tells no age. */
  readonly undated?: true;
}

/** The device's standing with its server (P 9). */
export interface DeviceJoin {
  readonly phase: 'idle' | 'asking' | 'joined' | 'refused' | 'failed' | 'left';
  readonly token?: TokenKey;
  readonly attempts: number;
  /** When to ask again, ms since 1970; absent when nothing is waited for. */
  readonly wakeAt?: number;
  /**
   * Only while `asking`: number, in decimal, of a TERMINATE_CMD that came meanwhile. An earlier answer that comes
   * later does not let the device in.
   */
  readonly dismissedAt?: string;
  /** Only when `left`: what becomes of the device's identity (P 10.8). */
  readonly identity?: 'keep' | 'drop';
}

/** What a device has open with one server. What is over is in its memory: that can be large. */
export interface DeviceState {
  readonly join: DeviceJoin;
  readonly open: Readonly<Record<TokenKey, DeviceExchange>>;
}

/** What a device remembers of finished tokens (P 6.4), as a step sees it. */
export interface DeviceMemory {
  get(token: TokenKey): Finished | undefined;
  /** The latest `at`; 0 when nothing is remembered. */
  readonly newest: number;
}

export interface DeviceFacts {
  /** The device's own id: a JOIN_CMD must name it (P 9.7). */
  readonly self: Identity;
  /**
   * The server is known to speak this profile, so it is told of deferrals (P 10.11), greeted, and asked again when it
   * does not answer who leaves; absent: it is not.
   */
  readonly serverSpeaksProfile?: boolean;
  /** Sent as DATA `IDENTIFICATION_RESPONSE`: `srup-agent/<version> ...` (P 10.7). */
  readonly identification: string;
  /** URLs of an INITIATE may be plain http: named so by the owner, for tests (P 10.2). */
  readonly allowHttp: boolean;
  /** Hosts from which software may come; absent: any (P 10.2). */
  readonly hosts?: readonly string[];
}

/** The moment of an input. `trusted`: tokens may be refused for their age (P 6.2). */
export interface Moment {
  readonly now: number;
  readonly trusted: boolean;
  /** 0 to 1, for the jitter of a retry (P 10.10). */
  readonly random: number;
}

export type DeviceInput =
  | { readonly on: 'message'; readonly message: Fresh }
  | { readonly on: 'time' }
  /** Ask to join; does nothing while joined, asking or leaving. `token` is a new one, used if it is needed. */
  | { readonly on: 'join'; readonly token: TokenKey }
  /** The broker lost our session: let the server know that we listen again. Does nothing unless joined. */
  | { readonly on: 'greet'; readonly token: TokenKey }
  | { readonly on: 'leave'; readonly token: TokenKey; readonly what: 'resign' | 'deregister' }
  | { readonly on: 'fetched'; readonly token: TokenKey; readonly outcome: FetchOutcome }
  /** `reason` and `until` (ms since 1970) of a deferral are told to the server. */
  | {
      readonly on: 'installed';
      readonly token: TokenKey;
      readonly outcome: InstallOutcome;
      readonly reason?: string;
      readonly until?: number;
    }
  | { readonly on: 'acted'; readonly token: TokenKey; readonly outcome: ActOutcome }
  | { readonly on: 'delivered'; readonly token: TokenKey; readonly outcome: DataOutcome }
  /** The program or the device has something to say (P 10.6). */
  | { readonly on: 'report'; readonly token: TokenKey; readonly dataId: string; readonly data: Uint8Array };

export type DeviceEffect =
  | SendEffect
  /** Stage the file of this digest; answer with input `fetched`. Held already: no download (P 10.12). */
  | { readonly do: 'fetch'; readonly token: TokenKey; readonly url: string; readonly digest: string }
  /** Switch to the staged file, or find it switched already; answer with `installed`. */
  | { readonly do: 'install'; readonly token: TokenKey; readonly digest: string }
  /** Run an action of the device's own table; answer with `acted`. */
  | { readonly do: 'act'; readonly token: TokenKey; readonly actionId: number }
  /** Hand DATA to the program or its owner; answer with `delivered`. */
  | { readonly do: 'deliver'; readonly token: TokenKey; readonly dataId: string; readonly data: Uint8Array }
  /**
   * The server let the device go, or the device left (P 10.8): what was not begun of the effects before is not begun
   * any more and counts as failed, and downloads end.
   */
  | { readonly do: 'leave'; readonly identity: 'keep' | 'drop' };

export interface DeviceStep extends Step<DeviceState, DeviceEffect> {
  /** The tokens that this step finished, in order: committed with the state, and then remembered. */
  readonly finished: readonly (readonly [TokenKey, Finished])[];
}

// ---------------------------------------------------------------- server

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

/** P 9. */
export type Standing =
  'unknown' | 'pending' | 'refused' | 'failed' | 'joined' | 'resigned' | 'terminated' | 'deregistered';

export type ServerStep = Step<ServerExchange, ServerEffect>;
