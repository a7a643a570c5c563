import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type * as Mqtt from 'mqtt';
import type { Random } from '@srup/protocol';
import {
  createArrivals,
  pubacks,
  whyNotTaken,
  type Arrivals,
  type Line,
  type MqttArrival,
} from './arrivals.ts';
import { backoffMs, type BackoffBounds } from './backoff.ts';
import { connectionReason } from './reason.ts';
import type { Secret } from './secret.ts';
import { systemRandom } from './system.ts';
import { guard, type Undated } from './undated.ts';

export interface MqttOptions {
  /** `mqtts://host:port` */
  readonly url: string;
  /** Allows `mqtt://` too: no TLS, so anybody can read along (P 7.5). */
  readonly insecurePlain?: boolean;
  readonly clientId: string;
  /** PEM of the only CA that is trusted. */
  readonly ca: string;
  /** Asked at each connection. It replaces the check of dates; absent or undefined if the clock is right. */
  readonly undated?: () => Undated | undefined;
  readonly cert: string;
  readonly key: Secret;
  /**
   * False: the broker keeps what arrives while we are away (P 7.1). True: it forgets us, which is right for a trial.
   */
  readonly clean: boolean;
  /** In addition to the certificate, for a broker that wants one. */
  readonly username?: string;
  readonly password?: Secret;
  /** Seconds between keep-alive packets. */
  readonly keepalive?: number;
  /** Timeout for a connection, a PUBACK or a SUBACK, in milliseconds. */
  readonly timeoutMs?: number;
  /**
   * The most messages in hand, 1 or more; 200 by default. The link reads nothing more from the socket when one more has
   * arrived. A broker that sends no more than this at once (`max_inflight_messages`) never makes it wait.
   */
  readonly inHand?: number;
  /** The wait before the first and before later reconnections, jittered (P 10.10). */
  readonly backoff?: BackoffBounds;
  readonly random?: Pick<Random, 'unit'>;
}

/**
 * A connection to a broker that reconnects by itself. Set the three handlers before the next turn of the event loop:
 * with a kept session messages arrive at once.
 */
export interface MqttLink {
  /**
   * Publishes with QoS 1, not retained. Resolves on the PUBACK. Rejects with `MqttError` if none comes; it does not
   * retry.
   */
  publish(topic: string, bytes: Uint8Array): Promise<void>;
  subscribe(filters: readonly string[]): Promise<void>;
  unsubscribe(filters: readonly string[]): Promise<void>;
  /** Ends this connection. The next attempt follows after the backoff. */
  drop(reason: string): void;
  /** Disconnects, and stays away. */
  close(): Promise<void>;
  /**
   * Takes a message. It is called for the next ones before the first is taken, in the order of arrival; whoever needs
   * this order in what it does queues them, by `takeInOrder`. The PUBACK waits (P 5.3) for it and for all earlier ones
   * (MQTT 4.6.0), so commit here and do the rest later. Never wait for a `publish` in it: with all messages in hand, the
   * PUBACK of that one could not arrive. At the first that rejects the connection is dropped. That message and all later
   * ones get no PUBACK, whether they were taken or not, so that the broker brings them again.
   */
  onMessage: (arrival: MqttArrival) => Promise<void>;
  /** `sessionKept`: the broker still has our subscriptions. */
  onConnect: (sessionKept: boolean) => void;
  /** Called once for every connection or attempt that ended. `retryMs`: time until the next attempt. */
  onDisconnect: (reason: string, retryMs: number) => void;
}

/** The broker did not confirm what was asked. It may have done it all the same: a confirmation can get lost. */
export class MqttError extends Error {
  override readonly name = 'MqttError';
}

const KEEPALIVE_SECONDS = 60;
const TIMEOUT_MS = 30_000;
const BACKOFF = { leastMs: 1_000, mostMs: 60_000 };
/** After a connection that lived this long the backoff begins again from the start. */
const STEADY_MS = 30_000;
const GOOD_BYE_MS = 2_000;
const IN_HAND = 200;
/** The most filters in one SUBSCRIBE. */
const FILTERS_AT_ONCE = 100;

const require = createRequire(import.meta.url);

/** One connection, from its attempt to its end. */
interface Connection {
  readonly client: Mqtt.MqttClient;
  /** Calls that wait for a confirmation of the broker. */
  readonly waiting: Set<(error: MqttError) => void>;
  readonly ended: Promise<void>;
  drop(reason: string): void;
  /** Says good-bye, or with `force` just ends. */
  leave(force: boolean): void;
}

/**
 * Connects with MQTT 3.1.1 and stays connected. Throws for a URL, key or certificate that can't be used.
 * `onDisconnect` tells of a broker that is away.
 *
 * Every connection is a client of its own, so that the library resends nothing on its own account: the caller keeps
 * the outbox.
 *
 * @example
 * const link = connectMqtt({ url: 'mqtts://broker.example:8883', clientId, ca, cert, key, clean: false });
 * link.onConnect = () => void link.subscribe(['SRUP/27ab54d670b64be2']);
 * link.onMessage = (arrival) => commit(arrival);
 */
export function connectMqtt(options: MqttOptions): MqttLink {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const random = options.random ?? systemRandom;
  let connection: Connection | undefined;
  let retry: NodeJS.Timeout | undefined;
  let failures = 0;
  let closed = false;

  const link: MqttLink = {
    publish: (topic, bytes) =>
      ask('PUBACK', (client, done) =>
        client.publish(topic, Buffer.from(bytes), { qos: 1, retain: false }, done),
      ),
    subscribe: (filters) =>
      eachBatch(filters, (batch) =>
        ask('SUBACK', (client, done) =>
          client.subscribe(batch, { qos: 1 }, (error, granted) => {
            const refused = granted?.find(({ qos }) => qos > 2);
            done(
              error ?? (refused && new MqttError(`the broker refused the subscription to ${refused.topic}`)),
            );
          }),
        ),
      ),
    unsubscribe: (filters) =>
      eachBatch(filters, (batch) => ask('UNSUBACK', (client, done) => client.unsubscribe(batch, done))),
    drop: (reason) => connection?.drop(reason),
    close,
    onMessage: () => Promise.reject(new TypeError('nobody takes the messages of this link')),
    onConnect: () => undefined,
    onDisconnect: () => undefined,
  };

  async function close(): Promise<void> {
    closed = true;
    clearTimeout(retry);
    const last = connection;
    if (last === undefined) return;
    const force = setTimeout(() => {
      last.drop('closed');
    }, GOOD_BYE_MS);
    last.leave(last.waiting.size > 0 || !last.client.connected);
    await last.ended;
    clearTimeout(force);
  }

  function open(): void {
    const began = performance.now();
    connection = openConnection(options, timeoutMs, link, (reason) => {
      connection = undefined;
      failures = performance.now() - began > STEADY_MS ? 1 : failures + 1;
      const retryMs = backoffMs(failures, options.backoff ?? BACKOFF, random.unit());
      if (!closed) retry = setTimeout(open, retryMs);
      link.onDisconnect(reason, retryMs);
    });
  }

  /**
   * Every call ends: with the confirmation, with the connection, or with the timeout. The library itself can wait for
   * ever.
   */
  function ask(
    answer: string,
    send: (client: Mqtt.MqttClient, done: (error?: Error | null) => void) => void,
  ): Promise<void> {
    const current = connection;
    if (current?.client.connected !== true)
      return Promise.reject(new MqttError('not connected to the broker'));
    return new Promise((resolve, reject) => {
      const settle = (error?: Error | null) => {
        clearTimeout(timer);
        current.waiting.delete(settle);
        if (error) reject(error instanceof MqttError ? error : new MqttError(error.message));
        else resolve();
      };
      const timer = setTimeout(() => {
        settle(new MqttError(`the broker sent no ${answer} within ${timeoutMs / 1000} s`));
        current.drop(`the broker sent no ${answer}`);
      }, timeoutMs);
      current.waiting.add(settle);
      send(current.client, settle);
    });
  }

  open();
  return link;
}

function openConnection(
  options: MqttOptions,
  timeoutMs: number,
  link: MqttLink,
  onEnd: (reason: string) => void,
): Connection {
  const { protocol, hostname } = new URL(options.url);
  if (protocol !== 'mqtts:' && !(protocol === 'mqtt:' && options.insecurePlain === true)) {
    throw new TypeError(`${options.url} is not an mqtts URL`);
  }
  const undated = protocol === 'mqtts:' ? options.undated?.() : undefined;
  // Loaded on demand: a program that only needs keys and files does not pay for it.
  const client = (require('mqtt') as typeof Mqtt).connect(options.url, {
    protocolVersion: 4,
    clientId: options.clientId,
    clean: options.clean,
    ...(options.username !== undefined && { username: options.username }),
    ...(options.password !== undefined && { password: options.password.reveal() }),
    // With keys given, the library would speak TLS to an mqtt: URL too.
    ...(protocol === 'mqtts:' && {
      ca: options.ca,
      cert: options.cert,
      key: options.key.reveal(),
      minVersion: 'TLSv1.2',
      rejectUnauthorized: undated === undefined, // otherwise `guard` judges
    }),
    keepalive: options.keepalive ?? KEEPALIVE_SECONDS,
    connectTimeout: timeoutMs,
    reconnectPeriod: 0, // ours is jittered and grows
    resubscribe: false,
    writeCache: false, // 65,536 small buffers, 18 MB
    timerVariant: 'native',
    log: () => undefined, // the library's own log shows payloads
  } as Mqtt.IClientOptions);
  const waiting = new Set<(error: MqttError) => void>();
  const arrivals = createArrivals({
    most: options.inHand ?? IN_HAND,
    acknowledge: (ids) => client.stream.write(pubacks(ids)),
  });
  let reason = 'the broker closed the connection';
  let isOver = false;
  const end = () => {
    isOver = true;
    arrivals.end();
  };
  const drop = (because: string) => {
    if (!isOver) reason = because; // the first one counts
    end();
    client.stream.destroy();
  };
  const line: Line = {
    get isOver() {
      return isOver;
    },
    drop,
  };
  if (undated !== undefined) {
    guard(client.stream as TLSSocket, hostname.replace(/^\[|\]$/g, ''), undated, (error) => {
      drop(error.message);
    });
  }
  takeArrivals(client, arrivals, (packet) =>
    link
      .onMessage({
        topic: packet.topic,
        bytes: copy(packet.payload),
        retained: packet.retain,
        repeated: packet.dup,
        line,
      })
      .catch((error: unknown) => {
        drop(whyNotTaken(error));
        throw error;
      }),
  );
  client.on('connect', ({ sessionPresent }) => {
    // We send a PUBACK and then an answer. Without this the second packet waits 40 ms for the ACK of the first.
    (client.stream as Socket).setNoDelay(true);
    link.onConnect(sessionPresent);
  });
  client.on('error', (error) => {
    reason = connectionReason(error);
  });
  const ended = new Promise<void>((resolve) => {
    client.once('close', () => {
      end();
      for (const fail of waiting) fail(new MqttError(`the connection to the broker ended: ${reason}`));
      resolve();
      onEnd(reason);
    });
  });
  const leave = (force: boolean) => {
    end(); // nothing may follow a DISCONNECT
    client.end(force);
  };
  return { client, waiting, ended, drop, leave };
}

/**
 * The library sends a PUBACK when its handler calls back, and reads nothing more until then. So it is made to believe
 * that QoS 1 is QoS 0: then it sends none, and calling back only lets the next packet come. A packet id tells which it was.
 */
function takeArrivals(
  client: Mqtt.MqttClient,
  arrivals: Arrivals,
  take: (packet: Mqtt.IPublishPacket) => Promise<void>,
): void {
  client.on('packetreceive', (packet) => {
    if (packet.cmd === 'publish' && packet.qos === 1) packet.qos = 0;
  });
  client.handleMessage = (packet, callback) => {
    const id = packet.qos === 0 ? packet.messageId : undefined;
    arrivals.receive(id, () => take(packet), callback);
  };
}

async function eachBatch(filters: readonly string[], act: (batch: string[]) => Promise<void>): Promise<void> {
  for (let at = 0; at < filters.length; at += FILTERS_AT_ONCE)
    await act(filters.slice(at, at + FILTERS_AT_ONCE));
}

/** The library's buffers are views of what it read from the socket. */
function copy(payload: Buffer | string): Uint8Array {
  return new Uint8Array(typeof payload === 'string' ? Buffer.from(payload) : payload);
}
