/**
 * The port through which the engine performs effects: fetching, installing, actions, data. The engine commits a state
 * first and performs then. After a restart it performs again what was not answered, so every performer must be
 * repeatable: it finds what is done already and goes on from there.
 */
import type { ActOutcome, DataOutcome, DeviceEffect, FetchOutcome, InstallOutcome } from '@srup/protocol';

export type EffectOf<Name extends DeviceEffect['do']> = Extract<DeviceEffect, { readonly do: Name }>;

/**
 * What the device does. A `signal` aborts when the agent stops: the promise then rejects with the signal's reason,
 * nothing is reported, and at the next start `fetch` and `install` are performed again (`act` and `deliver` never
 * are). Every other failure is an outcome. A rejection for another reason is a bug in the performer: it is logged, and
 * answered as the failure of its kind.
 */
export interface Performers {
  /**
   * Called once, before any effect, and again after `erase`. Brings the folders in order after a power cut and starts
   * the program in the current slot, if there is one. Rejects with `AgentError` for mistakes in the configuration.
   */
  start(): Promise<void>;
  /** Stops the program (SIGTERM, then SIGKILL) and everything that runs; resolves when all of it is gone. */
  stop(): Promise<void>;
  /**
   * Action 09 (P 10.5): runs the device's own part of it, then stops everything and removes all software. After a power
   * cut in the middle it is called again, in place of `start`.
   */
  erase(): Promise<void>;

  /** P 10.2. Stages the file of this digest, or finds it staged or installed already (P 10.12). */
  fetch(effect: EffectOf<'fetch'>, signal: AbortSignal): Promise<FetchOutcome>;
  /** P 10.3, 10.4. Switches to the staged file and proves its health, or reverts, or finds it active already. */
  install(effect: EffectOf<'install'>, signal: AbortSignal): Promise<Installed>;
  /** P 10.5. Called once for each token. */
  act(effect: EffectOf<'act'>, signal: AbortSignal): Promise<Acted>;
  /** P 10.6. Hands DATA from the server to the program or its owner. */
  deliver(effect: EffectOf<'deliver'>, signal: AbortSignal): Promise<DataOutcome>;

  /** What runs now, for status and identification. */
  running(): RunningSoftware;
}

export interface Installed {
  readonly outcome: InstallOutcome;
  /** For people and for `srup.defer`: one sentence without secrets. */
  readonly reason?: string;
  /** Only with a deferral: when to try again, ms since 1970. */
  readonly until?: number;
}

export interface Acted {
  readonly outcome: ActOutcome;
  /**
   * Called after the answer reached the broker, or after `ANSWER_GRACE_MS` without that: what ends the device's own
   * ability to answer for good. It must be recorded before, as it is not called when the power is cut first.
   */
  readonly afterwards?: () => Promise<void>;
}

export interface RunningSoftware {
  /** SHA-256 of the artifact in the current slot; absent while there is none. */
  readonly digest?: string;
  readonly program: 'none' | 'running' | 'restarting' | 'stopped';
  /** Process id, while there is one. */
  readonly pid?: number;
  /** How often the program ended by itself since the agent started. */
  readonly restarts: number;
}

/** The time that an answer gets to leave before `afterwards` is called, in milliseconds. */
export const ANSWER_GRACE_MS = 10_000;
