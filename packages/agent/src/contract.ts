/**
 * How the engine speaks with what performs its effects (fetching, installing, supervising, actions, data). The
 * engine commits state first and performs then; after a restart it performs again what was not answered, so every
 * performer must be repeatable: find what is done already and go on from there.
 */
import type {
  ActOutcome,
  Clock,
  DataOutcome,
  DeviceEffect,
  FetchOutcome,
  InstallOutcome,
  Random,
} from '@srup/protocol';
import type { AgentConfig } from './config/config.ts';
import type { Home } from './ground/home.ts';
import type { Log } from './log.ts';

export type EffectOf<Name extends DeviceEffect['do']> = Extract<DeviceEffect, { readonly do: Name }>;

/**
 * What the device does. A `signal` aborts when the agent stops: the promise then rejects with the signal's reason,
 * nothing is reported, and at the next start `fetch` and `install` are performed again (`act` and `deliver` never
 * are). Every other trouble is an outcome: a rejection for another reason is a mistake of the program (logged, and
 * answered as the failure of its kind).
 */
export interface Performers {
  /**
   * Called once, before any effect, and again after `erase`: brings the folders in order after a power cut and starts the program that
   * the current slot holds, if there is one. Rejects with `UserError`-like messages for mistakes of configuration.
   */
  start(): Promise<void>;
  /** Stops the program (SIGTERM, then SIGKILL) and everything that runs; resolves when all of it is gone. */
  stop(): Promise<void>;
  /**
   * Action 09 (P 10.5): the device's own part of it, then everything ends and all software goes. After a power cut in
   * its middle it is called again, in place of `start`.
   */
  erase(): Promise<void>;

  /** P 10.2. Stages the file of this digest, or finds it staged or installed already (P 10.12). */
  fetch(effect: EffectOf<'fetch'>, signal: AbortSignal): Promise<FetchOutcome>;
  /** P 10.3, 10.4. Switches to the staged file and proves its health, or reverts, or finds it active already. */
  install(effect: EffectOf<'install'>, signal: AbortSignal): Promise<Installed>;
  /** P 10.5. Called once a token. */
  act(effect: EffectOf<'act'>, signal: AbortSignal): Promise<Acted>;
  /** P 10.6. DATA from the server, for the program or its owner. */
  deliver(effect: EffectOf<'deliver'>, signal: AbortSignal): Promise<DataOutcome>;

  /** What runs now, for status and identification. */
  running(): RunningSoftware;
}

export interface Installed {
  readonly outcome: InstallOutcome;
  /** For people and for `srup.defer`: one sentence without secrets. */
  readonly reason?: string;
  /** Of a deferral: when to try again, ms since 1970. */
  readonly until?: number;
}

export interface Acted {
  readonly outcome: ActOutcome;
  /**
   * Done after the answer reached the broker, or after `ANSWER_GRACE_MS` without one: what ends the device's own
   * ability to answer for good. It must be owed already, as it is not done when the power is cut before.
   */
  readonly afterwards?: () => Promise<void>;
}

export interface RunningSoftware {
  /** SHA-256 of the artifact in the current slot; absent while there is none. */
  readonly digest?: string;
  readonly program: 'none' | 'running' | 'restarting' | 'stopped';
  /** Process id, while there is one. */
  readonly pid?: number;
  /** Times that the program ended by itself since the agent started. */
  readonly restarts: number;
}

/** The time that an answer gets to leave before `afterwards` is done, in milliseconds. */
export const ANSWER_GRACE_MS = 10_000;

/**
 * The program's word to the server (P 10.6). `kept`: committed, it will be sent. `full`: too much waits to be sent,
 * slow down. `unjoined`: there is nobody to tell, dropped. `refused`: an id beginning `srup.`, more than one message
 * holds, or no number is left to send it with. Never rejects for a full disk: that is `full` as well.
 */
export type ProgramReport = (
  dataId: string,
  data: Uint8Array,
) => Promise<'kept' | 'full' | 'unjoined' | 'refused'>;

/** What performers are made from. */
export interface Surroundings {
  readonly config: AgentConfig;
  readonly home: Home;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly report: ProgramReport;
  /**
   * PEM of the CA that the device trusts (pinned at enrolment), for HTTPS; beside it the system's own may be used.
   * Read it when it is used: it is empty before enrolment, when the program runs already.
   */
  readonly ca: string;
  /** Action 09 (P 10.5), when allowed: durable when it resolves. The next start begins it at the latest. */
  readonly oweErasure: () => Promise<void>;
  /** Begins what is owed: the identity is forgotten, then `erase` is called. To be called in `afterwards`. */
  readonly beginErasure: () => void;
  /** Names this start of the system; undefined where it has no name. The kernel's word unless given. */
  readonly bootId?: () => Promise<string | undefined>;
}

export type OpenPerformers = (surroundings: Surroundings) => Performers;
