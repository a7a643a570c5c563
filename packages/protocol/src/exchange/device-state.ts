/** What a device remembers of its conversations with one server. */
import type { TokenKey } from '../token.ts';

/** P 10.1. `idle` is the absence of an update; `active`, `reverted` and `failed` are results in `Finished`. */
export interface DeviceUpdate {
  readonly kind: 'update';
  readonly phase: 'fetching' | 'staged' | 'activating';
  readonly url: string;
  readonly digest: string;
  readonly openedAt: number;
  /** When the device retries a deferred installation by itself, for a server that does not know deferrals (P 10.11). */
  readonly wakeAt?: number;
}

/** P 10.5. An action runs at most once. After a restart in the middle it is answered, not run again. */
export interface DeviceAction {
  readonly kind: 'action';
  readonly phase: 'running';
  readonly actionId: number;
  readonly openedAt: number;
}

/** P 10.8. This device asked to leave. */
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
  /** Status byte that answers a repeated message; absent if nothing answers it. */
  readonly answer?: number;
  /** What the token stood for (digest, action id...). It tells a repeat from a conflict. */
  readonly content: string;
  /** When it ended, ms since 1970. Always later than those before it, whatever the clock said. */
  readonly at: number;
  /** The clock was not trusted then: `at` tells only the order, not the age. */
  readonly undated?: true;
}

/** The device's standing with its server (P 9). */
export interface DeviceJoin {
  readonly phase: 'idle' | 'asking' | 'joined' | 'refused' | 'failed' | 'left';
  readonly token?: TokenKey;
  readonly attempts: number;
  /** When to ask again, ms since 1970; absent if the device waits for nothing. */
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
