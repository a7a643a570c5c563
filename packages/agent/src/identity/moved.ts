import { backoffMs, type Log } from '@srup/node';
import type { Clock, Random } from '@srup/protocol';
import type { AgentConfig } from '../config/config.ts';
import type { Home } from '../ground/home.ts';
import { reasonOf } from '../ground/trouble.ts';
import { saveIdentity } from '../vault/identity.ts';
import { askStatus, brokerUrl } from './calls.ts';
import { askEnding, type Ending } from './ending.ts';
import { isPinned, type Renewable } from './renew.ts';
import { keyServiceAt } from './service.ts';

/** How long a device is without its broker before it asks why. The time doubles with each question in vain. */
export interface Patience {
  readonly leastMs: number;
  readonly mostMs: number;
}

const PATIENCE: Patience = { leastMs: 300_000, mostMs: 3_600_000 };

export interface Movable extends Renewable {
  isConnected(): boolean;
}

interface Surroundings {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Pick<Random, 'unit'>;
  /** Called with each answer; undefined when the key service does not say that the identity is over. */
  readonly onEnding: (ending: Ending | undefined) => void;
}

/**
 * Finds out why a device does not reach its broker: the broker has another address, or the identity has ended (P 10.8).
 * The key service knows. Only one that the owner has pinned is asked (P 8.6).
 */
export function followBroker(
  session: Movable,
  home: Home,
  config: AgentConfig,
  { log, clock, random, onEnding }: Surroundings,
  patience = PATIENCE,
): { stop(): void } {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let asked = 0;

  function wait(): void {
    if (stopping.signal.aborted) return;
    const ms = backoffMs(asked + 1, patience, random.unit());
    timer = setTimeout(() => void look().finally(wait), ms).unref();
  }

  async function look(): Promise<void> {
    if (session.isConnected()) {
      asked = 0;
      return;
    }
    asked++;
    try {
      await ask();
    } catch (error) {
      if (stopping.signal.aborted) return;
      log.info({ reason: reasonOf(error) }, 'the key service could not be asked why there is no broker');
    }
  }

  async function ask(): Promise<void> {
    const { credentials } = session;
    using service = keyServiceAt(config.url, credentials.ca, clock, stopping.signal);
    const { identity } = credentials;
    const { broker: told = identity.broker } = await askStatus(service);
    const broker = brokerUrl(service, told, config.insecurePlainMqtt);
    const hasMoved = broker !== identity.broker;
    const ending = hasMoved ? undefined : await askEnding(service, identity);
    if (session.isConnected() || stopping.signal.aborted) return;
    if (!hasMoved) {
      onEnding(ending);
      return;
    }
    log.warn({ from: identity.broker, to: broker }, 'the broker has moved, says the key service');
    const moved = { ...identity, broker };
    await saveIdentity(home, moved);
    await session.renew({ identity: moved });
    asked = 0;
  }

  if (isPinned(config)) wait();
  return {
    stop: () => {
      stopping.abort();
      clearTimeout(timer);
    },
  };
}
