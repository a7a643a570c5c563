/** What goes into a device's step, and what comes out. */
import type { Identity } from '../identity.ts';
import type { TokenKey } from '../token.ts';
import type { Fresh } from '../trust/replay.ts';
import type { DeviceState, Finished } from './device-state.ts';
import type { SendEffect, Step } from './step.ts';

/** Why a fetch failed, in the words of P 3: FC, FD, FE, FF. */
export type FetchOutcome = 'ok' | 'http-error' | 'no-server' | 'no-file' | 'bad-digest';
export type InstallOutcome = 'active' | 'reverted' | 'deferred';
export type ActOutcome = 'done' | 'unknown' | 'failed';
export type DataOutcome = 'taken' | 'unknown';

export interface DeviceFacts {
  /** The device's own id: a JOIN_CMD must name it (P 9.7). */
  readonly self: Identity;
  /**
   * The server is known to speak this profile. So the device reports deferrals to it (P 10.11), greets it, and asks
   * again if the server does not answer when the device leaves. By default it is not known.
   */
  readonly serverSpeaksProfile?: boolean;
  /** Sent as DATA `IDENTIFICATION_RESPONSE`: `srup-agent/<version> ...` (P 10.7). */
  readonly identification: string;
  /** An INITIATE can carry a plain http URL, because the owner allows that by name, for tests (P 10.2). */
  readonly allowHttp: boolean;
  /** Hosts from which software may come; by default any (P 10.2). */
  readonly hosts?: readonly string[];
}

export type DeviceInput =
  | { readonly on: 'message'; readonly message: Fresh }
  | { readonly on: 'time' }
  /** Ask to join. Does nothing while joined, asking or leaving. `token`: a new one, in case it is needed. */
  | { readonly on: 'join'; readonly token: TokenKey }
  /** The broker lost our session: tell the server that we listen again. Does nothing unless joined. */
  | { readonly on: 'greet'; readonly token: TokenKey }
  | { readonly on: 'leave'; readonly token: TokenKey; readonly what: 'resign' | 'deregister' }
  | { readonly on: 'fetched'; readonly token: TokenKey; readonly outcome: FetchOutcome }
  /** The server receives `reason` and `until` (ms since 1970) of a deferral. */
  | {
      readonly on: 'installed';
      readonly token: TokenKey;
      readonly outcome: InstallOutcome;
      readonly reason?: string;
      readonly until?: number;
    }
  | { readonly on: 'acted'; readonly token: TokenKey; readonly outcome: ActOutcome }
  | { readonly on: 'delivered'; readonly token: TokenKey; readonly outcome: DataOutcome }
  /** The program or the device reports DATA (P 10.6). */
  | { readonly on: 'report'; readonly token: TokenKey; readonly dataId: string; readonly data: Uint8Array };

export type DeviceEffect =
  | SendEffect
  /** Stage the file of this digest and answer with `fetched`. A file that is held already needs no download (P 10.12). */
  | { readonly do: 'fetch'; readonly token: TokenKey; readonly url: string; readonly digest: string }
  /** Switch to the staged file, unless that is done already, and answer with `installed`. */
  | { readonly do: 'install'; readonly token: TokenKey; readonly digest: string }
  /** Run an action of the device's own table and answer with `acted`. */
  | { readonly do: 'act'; readonly token: TokenKey; readonly actionId: number }
  /** Hand DATA to the program or its owner and answer with `delivered`. */
  | { readonly do: 'deliver'; readonly token: TokenKey; readonly dataId: string; readonly data: Uint8Array }
  /**
   * The server let the device go, or the device left (P 10.8). Effects before this one that have not begun do not begin
   * and count as failed. Downloads end.
   */
  | { readonly do: 'leave'; readonly identity: 'keep' | 'drop' };

export interface DeviceStep extends Step<DeviceState, DeviceEffect> {
  /** The tokens that this step finished, in order: committed with the state, and then remembered. */
  readonly finished: readonly (readonly [TokenKey, Finished])[];
}
