/** A device whose bytes the test decides. It enrols correctly, and is then an attacker or a victim. */
import { createRequire } from 'node:module';
import type * as Mqtt from 'mqtt';
import {
  generateKeys,
  importSignKey,
  newIdentity,
  newToken,
  proveText,
  systemClock,
  systemRandom,
  type KeySet,
  type Secret,
} from '@srup/node';
import {
  compose,
  decode,
  deviceTopic,
  identityText,
  mqttClientId,
  nextSequence,
  parseIdentity,
  STATUS,
  tokenKey,
  tokenOfKey,
  topicFromDevice,
  type BodyOf,
  type Draft,
  type Identity,
  type Message,
  type MessageOf,
  type MessageType,
  type SuiteName,
  type TokenKey,
} from '@srup/protocol';
import { makeCsr, makeTlsKey } from '../../../packages/agent/src/identity/csr.ts';
import { TYPE } from '../../support/device.ts';
import { until } from '../../support/wait.ts';
import type { Arena } from './arena.ts';
import { callKeyService } from './key-service.ts';

export interface Heard {
  readonly topic: string;
  readonly bytes: Uint8Array;
  readonly retained: boolean;
}

/** One connection to the broker, which is not opened again when it ends. */
export interface Link {
  readonly heard: readonly Heard[];
  /** Why it ended; undefined while it is up. */
  ended(): string | undefined;
  /** True when the broker granted it. */
  subscribe(filter: string): Promise<boolean>;
  /** Resolves when the broker took it or ended the connection. */
  publish(topic: string, bytes: Uint8Array, options?: Mqtt.IClientPublishOptions): Promise<void>;
  close(): Promise<void>;
  /** Ends it without DISCONNECT, so that the broker publishes the will. */
  cut(): Promise<void>;
}

export interface Credential {
  readonly cert: string;
  readonly key: string;
}

const load = createRequire(import.meta.url);

/** Opens a connection, or returns why the broker refuses. It ends with the arena. */
export async function connect(
  arena: Arena,
  credential: Credential | undefined,
  options: Mqtt.IClientOptions,
  url = arena.site.brokerUrl,
): Promise<Link | string> {
  const client = (load('mqtt') as typeof Mqtt).connect(url, {
    protocolVersion: 4,
    reconnectPeriod: 0,
    resubscribe: false,
    clean: true,
    ...(credential === undefined ? {} : { ca: arena.ca, ...credential }),
    ...options,
  });
  const heard: Heard[] = [];
  let reason: string | undefined;
  let isOver = false;
  client.on('message', (topic, payload, { retain }) => {
    heard.push({ topic, bytes: new Uint8Array(payload), retained: retain });
  });
  client.on('error', (error) => (reason = error.message));
  const over = new Promise<void>((resolve) => {
    client.on('close', () => {
      isOver = true;
      resolve();
    });
  });
  const link: Link = {
    heard,
    ended: () => (isOver ? (reason ?? 'closed') : undefined),
    subscribe: async (filter) => {
      const grants = await client.subscribeAsync(filter, { qos: 1 }).catch(() => []);
      return grants.some(({ qos }) => qos < 0x80);
    },
    publish: async (topic, bytes, more) => {
      const done = client.publishAsync(topic, Buffer.from(bytes), { qos: 1, ...more }).catch(() => undefined);
      await Promise.race([done, over]);
    },
    close: async () => {
      client.end(isOver);
      await over;
    },
    cut: async () => {
      client.stream.destroy();
      await over;
    },
  };
  await Promise.race([over, new Promise((resolve) => client.once('connect', resolve))]);
  const why = link.ended();
  if (why !== undefined) return why;
  arena.ground.later(() => client.end(true));
  return link;
}

export interface WriteOptions {
  readonly token?: TokenKey;
  readonly sequence?: bigint;
  /** The id of the sender. */
  readonly sender?: Identity;
  /** The private PEM of the key that signs. */
  readonly key?: Secret;
}

export interface Written {
  readonly bytes: Uint8Array;
  readonly token: TokenKey;
  /** Where it belongs. */
  readonly topic: string;
}

export interface Attacker {
  readonly id: Identity;
  readonly text: string;
  /** Its own. */
  readonly topic: string;
  readonly keys: KeySet;
  readonly tls: Credential;
  /** Connects with its own certificate; throws if the broker refuses. */
  connect(options?: Mqtt.IClientOptions): Promise<Link>;
  /** Signed bytes of a message to the server; nothing is sent. */
  write<T extends MessageType>(type: T, body: BodyOf<T>, options?: WriteOptions): Promise<Written>;
  say<T extends MessageType>(link: Link, type: T, body: BodyOf<T>, options?: WriteOptions): Promise<Written>;
  /** Waits for the server's message of this type (and token). */
  hear<T extends MessageType>(link: Link, type: T, token?: TokenKey): Promise<MessageOf<T>>;
  /** Connects, listens on its own topic and joins. */
  join(): Promise<Link>;
}

/** Makes an attacker with these keys; `tls` works only if the key service really issued it. */
export async function enrolAttacker(arena: Arena, suite: SuiteName = 'ed25519'): Promise<Attacker> {
  const id = newIdentity(systemRandom);
  const identity = identityText(id);
  const keys = await generateKeys(suite);
  const tlsKey = await makeTlsKey();
  const { status } = await callKeyService(arena, 'register', {
    identity,
    key: bodyOf(keys.signing.publicPem),
    type: TYPE,
    ...(keys.sealing && { sealKey: bodyOf(keys.sealing.publicPem) }),
  });
  if (status !== 201) throw new Error(`registration was answered ${status}`);
  await callKeyService(arena, 'validate', {
    identity,
    signature: proveText(keys.signing.privatePem, identity),
  });
  const csr = makeCsr(identity, tlsKey);
  const { body } = await callKeyService(arena, 'access', {
    identity,
    csr: Buffer.from(csr).toString('base64'),
    signature: proveText(keys.signing.privatePem, csr),
  });
  const cert = Buffer.from(body['certificate'] ?? '', 'base64').toString();
  return makeAttacker(arena, id, keys, { cert, key: tlsKey.reveal() });
}

/** A PEM without header, footer and newlines (P 8.1). */
export function bodyOf(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s/g, '');
}

export function makeAttacker(arena: Arena, id: Identity, keys: KeySet, tls: Credential): Attacker {
  const server = parseIdentity(arena.serverId) as Identity;
  const topic = deviceTopic(id);
  let sent = 0n;
  let highest = 0n;

  /** The server's messages so far; its numbers are ours to follow (P 5.1). */
  function messages(link: Link): Message[] {
    return link.heard.flatMap((heard) => {
      const decoded = decode(heard.bytes);
      if (!decoded.ok || decoded.value.message.sender !== server || heard.topic !== topic) return [];
      const { message } = decoded.value;
      if (message.sequence > highest) highest = message.sequence;
      return [message];
    });
  }

  const attacker: Attacker = {
    id,
    text: identityText(id),
    topic,
    keys,
    tls,
    connect: async (options) => {
      const link = await connect(arena, tls, { clientId: mqttClientId(id), ...options });
      if (typeof link === 'string') throw new Error(`not let in: ${link}`);
      return link;
    },
    write: async (type, body, options = {}) => {
      const { token = newToken(systemClock, systemRandom), sender = id } = options;
      const sequence = options.sequence ?? nextSequence({ sent, highest });
      if (options.sequence === undefined) sent = sequence;
      const draft = { type, token: tokenOfKey(token), body } as unknown as Draft;
      const signKey = importSignKey(options.key ?? keys.signing.privatePem);
      const { bytes } = await compose(draft, sequence, sender, { id: server }, signKey);
      return { bytes, token, topic: topicFromDevice(type, server, sender) };
    },
    say: async (link, type, body, options) => {
      const written = await attacker.write(type, body, options);
      await link.publish(written.topic, written.bytes);
      return written;
    },
    hear: (link, type, token) =>
      until(`${type} to ${attacker.text}`, () =>
        messages(link).find((message) => {
          return message.type === type && (token === undefined || tokenKey(message.token) === token);
        }),
      ) as Promise<never>,
    join: async () => {
      const link = await attacker.connect();
      await link.subscribe(topic);
      const { token } = await attacker.say(link, 'JOIN_REQ', {});
      const { body } = await attacker.hear(link, 'RESPONSE', token);
      if (body.status !== STATUS.JOIN_SUCCESS) throw new Error(`the join was answered ${body.status}`);
      return link;
    },
  };
  return attacker;
}
