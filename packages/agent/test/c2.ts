/** A scripted server: it says what a test tells it to, right or wrong, and keeps what it hears. */
import {
  connectMqtt,
  importSignKey,
  importVerifyKey,
  newToken,
  systemClock,
  systemRandom,
  type KeySet,
  type MqttLink,
} from '@srup/node';
import {
  deviceTopic,
  identityText,
  joinFilter,
  parseIdentity,
  tokenKey,
  type BodyOf,
  type Identity,
  type Message,
  type MessageOf,
  type MessageType,
  type TokenKey,
} from '@srup/protocol';
import { scriptedPeer, type ScriptedPeer } from '@srup/protocol/testing';
import type { TestBroker } from '../../node/test/broker.ts';
import { until } from '@srup/node/testing';

export interface Heard {
  readonly topic: string;
  readonly message: Message;
  readonly token: TokenKey;
  readonly bytes: Uint8Array;
}

export interface SayOptions {
  readonly token?: TokenKey;
  /** Default: the next one. */
  readonly sequence?: bigint;
  /** Default: the server's own. */
  readonly keys?: KeySet;
  readonly sender?: Identity;
  readonly topic?: string;
}

export interface TestC2 {
  readonly id: Identity;
  readonly heard: Heard[];
  /** Tells the key of the device that it speaks with, and listens on its topic. */
  meet(device: string, publicPem: string): Promise<void>;
  /** Signed bytes of a message to the device; nothing is sent. */
  make<T extends MessageType>(
    type: T,
    body: BodyOf<T>,
    options?: SayOptions,
  ): Promise<{ bytes: Uint8Array; token: TokenKey }>;
  send(bytes: Uint8Array, topic?: string): Promise<void>;
  say<T extends MessageType>(type: T, body: BodyOf<T>, options?: SayOptions): Promise<TokenKey>;
  /** Waits for the n-th (first: 1) message of this type, and of this token if one is given. */
  hear<T extends MessageType>(
    type: T,
    token?: TokenKey,
    nth?: number,
  ): Promise<Heard & { readonly message: MessageOf<T> }>;
  count(type: MessageType, token?: TokenKey): number;
  /** Answers the next JOIN_REQ. */
  accept(status?: number): Promise<TokenKey>;
  close(): Promise<void>;
}

export async function startC2(broker: TestBroker, id: Identity, keys: KeySet): Promise<TestC2> {
  const { certPem, key } = await broker.issue(identityText(id));
  const link: MqttLink = connectMqtt({
    url: broker.url,
    clientId: `SRUP Client: ${identityText(id)}`,
    ca: broker.ca.pem,
    cert: certPem,
    key,
    clean: false,
    backoff: { leastMs: 10, mostMs: 50 },
  });
  let device: Identity = 1n;
  let peer: ScriptedPeer | undefined;
  let isUp = false;
  const heard: Heard[] = [];

  const arrivals: { topic: string; bytes: Uint8Array }[] = [];

  function take({ topic, bytes }: { topic: string; bytes: Uint8Array }): void {
    const read = peer?.read(bytes);
    if (read?.ok !== true) return;
    const message = read.value;
    heard.push({ topic, message, token: tokenKey(message.token), bytes });
  }
  link.onMessage = (arrival) => {
    arrivals.push(arrival);
    take(arrival);
    return Promise.resolve();
  };
  link.onConnect = () => {
    const filters = [joinFilter(id), ...(peer === undefined ? [] : [deviceTopic(device)])];
    link.subscribe(filters).then(
      () => (isUp = true),
      () => undefined,
    );
  };
  link.onDisconnect = () => {
    isUp = false;
  };
  await until('the C2 is connected', () => isUp);

  const matching = (type: MessageType, token?: TokenKey) =>
    heard.filter((one) => one.message.type === type && (token === undefined || one.token === token));

  const c2: TestC2 = {
    id,
    heard,
    meet: async (text, publicPem) => {
      device = parseIdentity(text) as Identity;
      peer = scriptedPeer({
        role: 'server',
        ...{ self: id, key: importSignKey(keys.signing.privatePem) },
        peer: { id: device, key: importVerifyKey(publicPem) },
        newToken: () => newToken(systemClock, systemRandom),
      });
      heard.length = 0;
      arrivals.forEach(take); // what it said before it was met
      await link.subscribe([deviceTopic(device)]);
    },
    make: async (type, body, { keys: others, ...lies } = {}) => {
      if (peer === undefined) throw new Error('the server has not met a device yet');
      return peer.write(type, body, {
        ...lies,
        ...(others && { key: importSignKey(others.signing.privatePem) }),
      });
    },
    send: async (bytes, topic = deviceTopic(device)) => {
      await until('the C2 is connected', () => isUp);
      await link.publish(topic, bytes);
    },
    say: async (type, body, options = {}) => {
      const { bytes, token } = await c2.make(type, body, options);
      await c2.send(bytes, options.topic);
      return token;
    },
    hear: async (type, token, nth = 1) => {
      await until(`${type} ${token ?? ''} (${nth})`, () => matching(type, token).length >= nth);
      return matching(type, token)[nth - 1] as Heard & { message: MessageOf<typeof type> };
    },
    count: (type, token) => matching(type, token).length,
    accept: async (status = 0x50) => {
      const { token } = await c2.hear('JOIN_REQ', undefined, c2.count('JOIN_REQ') || 1);
      await c2.say('RESPONSE', { status }, { token });
      return token;
    },
    close: () => link.close(),
  };
  return c2;
}
