import {
  generateKeys,
  importSignKey,
  importVerifyKey,
  newIdentity,
  newToken,
  systemClock,
  systemRandom,
  type KeySet,
} from '@srup/node';
import {
  compose,
  deviceTopic,
  EMPTY_WINDOW,
  identityText,
  isJoinRequest,
  nextSequence,
  receive,
  screen,
  tokenKey,
  tokenOfKey,
  topicFromDevice,
  type BodyOf,
  type Draft,
  type Identity,
  type Message,
  type MessageType,
  type ReplayWindow,
  type SignKey,
  type SuiteName,
  type TokenKey,
  type VerifyKey,
} from '@srup/protocol';
import type { Enrolment, IdentityDirectory } from '../../src/peers/directory.ts';
import type { TestLink } from './link.ts';

/** A device made of real keys and real bytes; what it says is up to the test. */
export interface TestDevice {
  readonly id: Identity;
  readonly text: string;
  readonly topic: string;
  readonly keys: KeySet;
  readonly signKey: SignKey;
  enrolment: Enrolment;
  /** A signed message with the next number, and the topic that it belongs on. */
  write<T extends MessageType>(
    type: T,
    body: BodyOf<T>,
    token?: TokenKey,
    sequence?: bigint,
  ): Promise<Written>;
  /** Writes it and brings it to the server; resolves on the PUBACK. */
  say<T extends MessageType>(link: TestLink, type: T, body: BodyOf<T>, token?: TokenKey): Promise<Written>;
  /** Judges bytes as a device does; what is refused is a code. */
  hear(bytes: Uint8Array): Message | string;
  /** All that was published to it and is accepted, in order; each only once. */
  heard(link: TestLink): Message[];
  /** Waits for the next message of this type that was not waited for before. */
  next(link: TestLink, type: MessageType): Promise<Message>;
}

export interface Written {
  readonly token: TokenKey;
  readonly bytes: Uint8Array;
  readonly topic: string;
}

export interface TestServer {
  readonly id: Identity;
  /** For a process of its own. */
  readonly privatePems: Readonly<Record<SuiteName, string>>;
  readonly keys: Readonly<Record<SuiteName, SignKey>>;
  readonly verify: Readonly<Record<SuiteName, VerifyKey>>;
}

const SUITE_NAMES = ['rsa-sha256', 'ed25519', 'ml-dsa-65'] as const;

export async function makeServer(): Promise<TestServer> {
  const sets = await Promise.all(SUITE_NAMES.map((suite) => generateKeys(suite)));
  const by = <Value>(make: (index: number) => Value) =>
    Object.fromEntries(SUITE_NAMES.map((suite, index) => [suite, make(index)])) as Record<SuiteName, Value>;
  return {
    id: newIdentity(systemRandom),
    privatePems: by((index) => sets[index]!.signing.privatePem.reveal()),
    keys: by((index) => importSignKey(sets[index]!.signing.privatePem)),
    verify: by((index) => importVerifyKey(sets[index]!.signing.publicPem)),
  };
}

export async function makeDevice(
  server: TestServer,
  suite: SuiteName = 'ed25519',
  type = 'demo',
): Promise<TestDevice> {
  const keys = await generateKeys(suite);
  const signKey = importSignKey(keys.signing.privatePem);
  const id = newIdentity(systemRandom);
  const topic = deviceTopic(id);
  let sent = 0n;
  let joinToken: TokenKey | undefined;
  let window: ReplayWindow = EMPTY_WINDOW;
  const read = new WeakMap<TestLink, number>();
  const accepted: Message[] = [];
  let taken = 0;

  const device: TestDevice = {
    id,
    text: identityText(id),
    topic,
    keys,
    signKey,
    enrolment: {
      ...{ id, type, suite, state: 'certified' },
      publicPem: keys.signing.publicPem,
      ...(keys.sealing && { sealPem: keys.sealing.publicPem }),
    },
    write: async (messageType, body, token = newToken(systemClock, systemRandom), sequence) => {
      const number = sequence ?? nextSequence({ sent, highest: window.highest });
      sent = number;
      if (isJoinRequest(messageType)) joinToken = token;
      const draft = { type: messageType, token: tokenOfKey(token), body } as unknown as Draft;
      const { bytes } = await compose(draft, number, id, { id: server.id }, signKey);
      return { token, bytes, topic: topicFromDevice(messageType, server.id, id) };
    },
    say: async (link, messageType, body, token) => {
      const written = await device.write(messageType, body, token);
      await link.deliver(written.topic, written.bytes);
      return written;
    },
    hear: (bytes) => {
      const screened = screen({ bytes, topic, retained: false }, { role: 'device', self: id });
      if (!screened.ok) return screened.code;
      const peer = { key: server.verify[suite], window, sent, joinToken, forbids: () => undefined };
      const isServer = screened.value.message.sender === server.id;
      const result = receive(screened.value, isServer ? peer : undefined);
      if (!result.ok) return result.code;
      window = result.value.window;
      return result.value.message;
    },
    heard: (link) => {
      const from = read.get(link) ?? 0;
      read.set(link, link.published.length);
      for (const { topic: where, bytes } of link.published.slice(from)) {
        if (where !== topic) continue;
        const message = device.hear(bytes);
        if (typeof message === 'string') throw new Error(`device ${device.text} refused ${message}`);
        accepted.push(message);
      }
      return accepted;
    },
    next: async (link, messageType) => {
      const found = await until(
        () =>
          device.heard(link).findIndex((message, index) => index >= taken && message.type === messageType) +
          1,
        `${messageType} to ${device.text}; it heard ${accepted.map((message) => message.type).join(' ')}`,
      );
      taken = found;
      return accepted[found - 1]!;
    },
  };
  return device;
}

export function tokenOf(message: Message): TokenKey {
  return tokenKey(message.token);
}

/** A key service that vouches for these devices. */
export function directoryOf(
  ...devices: readonly TestDevice[]
): IdentityDirectory & { readonly revoked: string[] } {
  const revoked: string[] = [];
  return {
    revoked,
    find: async (id) => devices.find((device) => device.id === id)?.enrolment,
    revoke: async (id) => {
      revoked.push(identityText(id));
      for (const device of devices) {
        if (device.id === id) device.enrolment = { ...device.enrolment, state: 'revoked' };
      }
    },
  };
}

const DEADLINE_MS = 10_000;

/** The first truthy value of a condition that others bring about. */
export async function until<Value>(
  condition: () => Value | Promise<Value>,
  what = 'the condition',
): Promise<NonNullable<Value>> {
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
