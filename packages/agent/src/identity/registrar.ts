import type { Log } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import type { AgentConfig } from '../config/config.ts';
import { openPromise, type OpenPromise } from '../ground/promise.ts';
import type { Home } from '../ground/home.ts';
import { AgentError } from '../ground/trouble.ts';
import type { Credentials } from '../vault/identity.ts';
import { enrol, ENROLMENT_BACKOFF, type EnrolmentTools } from './enrol.ts';

/** Longest time of a timer of Node.js, in milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Registers a device without an identity: waits for an order, registers, and waits again if it is refused. */
export interface Registrar {
  /** The owner wants this device registered, with this enrolment code if there is one. */
  want(code: string | undefined): Promise<void>;
  isWanted(): boolean;
  /** Resolves when the owner wants it, when the agent stops, or after `mostMs`. */
  untilWanted(mostMs?: number): Promise<void>;
  /** Undefined when the agent stops. Never rejects because of what the key service says. */
  register(): Promise<Credentials | undefined>;
  /** There is an identity: clears the order and the trouble. */
  done(): void;
  readonly isWaiting: () => boolean;
  /** Why the last try failed. Cleared by the next order of the owner and by success. */
  readonly trouble: () => AgentError | undefined;
}

export interface RegistrarTools {
  readonly config: AgentConfig;
  readonly home: Home;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly enrolmentBackoff?: EnrolmentTools['backoff'];
  /** Keeps a code until it was used. */
  readonly keepCode?: (code: string) => Promise<void>;
  readonly onTrouble: (error: AgentError) => void;
}

export function makeRegistrar(tools: RegistrarTools): Registrar {
  const { config, home, log, clock, random, signal, enrolmentBackoff: backoff = ENROLMENT_BACKOFF } = tools;
  let waiting: OpenPromise<undefined> | undefined;
  let wanted = false;
  let code = config.enrolmentCode;
  let trouble: AgentError | undefined;
  let attempt = new AbortController();
  signal.addEventListener('abort', () => waiting?.resolve(undefined));

  async function untilWanted(mostMs?: number): Promise<void> {
    if (signal.aborted) return;
    const mine = (waiting = openPromise<undefined>());
    // Nothing else may keep this process alive now: no connection, no program.
    const alive = setInterval(() => {
      if (mostMs !== undefined) mine.resolve(undefined);
    }, mostMs ?? LONGEST_TIMER_MS);
    await mine.promise;
    clearInterval(alive);
    waiting = undefined;
  }

  /** A device that is refused keeps its program running, says why, and tries again (P 10.10). */
  async function register(): Promise<Credentials | undefined> {
    while (!signal.aborted) {
      attempt = new AbortController();
      const until = AbortSignal.any([signal, attempt.signal]);
      const asked = { ...config, ...(code !== undefined && { enrolmentCode: code }) };
      try {
        return await enrol(asked, home, { log, clock, random, signal: until, backoff });
      } catch (error) {
        if (until.aborted) continue; // with the order that came meanwhile
        if (!(error instanceof AgentError)) throw error;
        trouble = error;
        log.error({ hint: error.hint, retryMs: backoff.mostMs }, `not registered: ${error.message}`);
        tools.onTrouble(error);
        await untilWanted(backoff.mostMs);
      }
    }
    return undefined;
  }

  return {
    want: async (given) => {
      if (given !== undefined) {
        await tools.keepCode?.(given);
        code = given;
      }
      wanted = true;
      trouble = undefined;
      waiting?.resolve(undefined);
      waiting = undefined;
      attempt.abort();
    },
    isWanted: () => wanted,
    untilWanted,
    register,
    done: () => {
      wanted = false;
      trouble = undefined;
    },
    isWaiting: () => waiting !== undefined,
    trouble: () => trouble,
  };
}
