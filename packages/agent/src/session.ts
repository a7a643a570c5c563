import {
  connectMqtt,
  importSignKey,
  importVerifyKey,
  undatedBy,
  type MqttLink,
  type MqttOptions,
  type Log,
} from '@srup/node';
import {
  deviceTopic,
  mqttClientId,
  parseIdentity,
  type Clock,
  type DeviceFacts,
  type Identity,
  type Random,
} from '@srup/protocol';
import type { AgentConfig } from './config/config.ts';
import type { Performers } from './engine/performers.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import type { EngineEvent } from './engine/turn.ts';
import { warnOfClock } from './ground/unset-clock.ts';
import { reasonOf } from './ground/trouble.ts';
import type { Credentials, DeviceIdentity } from './vault/identity.ts';
import type { Store } from './vault/store.ts';

/** The life of one identity: its state, its engine, its connection. */
export interface Session {
  readonly engine: Engine;
  readonly credentials: Credentials;
  isConnected(): boolean;
  /** Reconnects with a renewed certificate, or to another address of the broker. Calls run one after another. */
  renew(changed: Partial<Credentials>): Promise<void>;
  close(): Promise<void>;
}

export interface SessionTools {
  readonly config: Pick<AgentConfig, 'insecurePlainMqtt'>;
  /** What this identity must not forget. */
  readonly store: Store;
  /** Names this start of the system; undefined where it has no name. */
  readonly bootId: string | undefined;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly performers: Performers;
  readonly facts: (self: Identity, identity: DeviceIdentity) => DeviceFacts;
  readonly onEvent: (event: EngineEvent | LinkEvent) => void;
  readonly mqtt?: MqttTuning;
  /** By default, `connectMqtt`. */
  readonly openLink?: (options: MqttOptions) => MqttLink;
}

/** How the link behaves; what is absent has the default of the link. */
export type MqttTuning = Pick<MqttOptions, 'backoff' | 'timeoutMs' | 'keepalive'>;

export type LinkEvent =
  { readonly what: 'connected' } | { readonly what: 'disconnected'; readonly reason: string };

/**
 * Messages in hand. The engine takes one after the other, so more would only use memory; with fewer, the PUBACKs of the
 * device's own messages would wait for the disk.
 */
const IN_HAND = 16;
/** Wait between tries to start on a full disk, in milliseconds. */
const START_AGAIN_MS = 10_000;

/** Opens a session. It waits for a broker that can't be reached and for a disk that is full. */
export function openSession(credentials: Credentials, tools: SessionTools): Session {
  const { log, clock, random, onEvent, openLink = connectMqtt } = tools;
  const { identity, keys, serverPem } = credentials;
  const self = parseIdentity(identity.id) as Identity;
  if (identity.broker.startsWith('mqtt:')) {
    log.warn({ broker: identity.broker }, 'MQTT WITHOUT TLS: anybody in the network can read along (P 7.5)');
  }
  const engine = createEngine({
    self,
    server: parseIdentity(identity.server) as Identity,
    serverKey: importVerifyKey(serverPem),
    signKey: importSignKey(keys.signing.privatePem),
    store: tools.store,
    performers: tools.performers,
    clock,
    random,
    log,
    bootId: tools.bootId,
    facts: () => tools.facts(self, identity),
    onEvent,
  });
  let current = credentials;
  let link = connect(credentials);
  let connected = false;
  let starting: NodeJS.Timeout | undefined;
  let renewing: Promise<void> = Promise.resolve();
  let closed = false;

  function connect(with_: Credentials): MqttLink {
    const next = openLink({
      ...tools.mqtt,
      url: with_.identity.broker,
      insecurePlain: tools.config.insecurePlainMqtt,
      clientId: mqttClientId(self),
      ca: with_.ca,
      undated: () => {
        const undated = undatedBy(clock, with_.ca, with_.tlsCertificate);
        if (undated !== undefined) warnOfClock(log, clock);
        return undated;
      },
      cert: with_.tlsCertificate,
      key: with_.tlsKey,
      clean: false,
      inHand: IN_HAND,
      random,
    });
    next.onMessage = engine.receive;
    next.onConnect = (sessionKept) => {
      greet(next, sessionKept).catch((error: unknown) => {
        next.drop(reasonOf(error));
      });
    };
    next.onDisconnect = (reason, retryMs) => {
      engine.outbox.connect(undefined);
      connected = false;
      if (closed) return;
      log.warn(
        { reason, retryMs: Math.round(retryMs), ...clockHint(reason, clock.now()) },
        'not connected to the broker',
      );
      onEvent({ what: 'disconnected', reason });
    };
    return next;
  }

  async function greet(over: MqttLink, sessionKept: boolean): Promise<void> {
    // Committed first: killed after the SUBSCRIBE, the next connection would find its session kept.
    if (!sessionKept) await engine.greet();
    await over.subscribe([deviceTopic(self)]); // P 7.2
    connected = true;
    log.info({ broker: current.identity.broker }, 'connected to the broker');
    onEvent({ what: 'connected' });
    engine.outbox.connect((topic, bytes) => over.publish(topic, bytes));
  }

  function start(): void {
    engine.start().catch((error: unknown) => {
      if (closed) return;
      log.error({ reason: reasonOf(error), retryMs: START_AGAIN_MS }, 'the state can not be written');
      starting = setTimeout(start, START_AGAIN_MS);
    });
  }

  async function reconnect(changed: Partial<Credentials>): Promise<void> {
    current = { ...current, ...changed };
    await link.close();
    if (!closed) link = connect(current);
  }

  start();
  // Whoever waits for a standing hears of one that was reached before.
  const { phase } = engine.view().join;
  if (phase !== 'idle') onEvent({ what: 'join', phase });
  return {
    engine,
    get credentials() {
      return current;
    },
    isConnected: () => connected,
    renew: (changed) => {
      const turn = renewing.then(() => reconnect(changed));
      renewing = turn.catch(() => undefined);
      return turn;
    },
    close: async () => {
      closed = true;
      clearTimeout(starting);
      await renewing;
      await link.close();
      await engine.stop();
    },
  };
}

/** A wrong clock makes a good certificate look bad: the log says so. */
function clockHint(reason: string, now: number): { hint?: string } {
  if (!/not yet valid|has expired/.test(reason)) return {};
  return { hint: `the clock of this device says ${new Date(now).toISOString()}: is it right?` };
}
