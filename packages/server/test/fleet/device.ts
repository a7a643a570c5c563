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
import { until, type FakeLink } from '@srup/node/testing';
import {
  deviceTopic,
  identityText,
  tokenKey,
  type BodyOf,
  type Identity,
  type Message,
  type MessageType,
  type SignKey,
  type SuiteName,
  type TokenKey,
  type VerifyKey,
} from '@srup/protocol';
import { scriptedPeer, type ScriptedPeer, type Written } from '@srup/protocol/testing';
import type { Enrolment, IdentityDirectory } from '../../src/peers/directory.ts';

/** A device made of real keys and real bytes. What it says is up to the test. */
export interface TestDevice extends Pick<ScriptedPeer, 'write'> {
  readonly id: Identity;
  readonly text: string;
  readonly topic: string;
  readonly keys: KeySet;
  enrolment: Enrolment;
  /** Writes a message and brings it to the server. Resolves on the PUBACK. */
  say<T extends MessageType>(link: FakeLink, type: T, body: BodyOf<T>, token?: TokenKey): Promise<Written>;
  /** Judges bytes as a device does; a refusal is its code. */
  hear(bytes: Uint8Array): Message | string;
  /** All that was published to it and is accepted, in order; each only once. */
  heard(link: FakeLink): Message[];
  /** Waits for the next message of this type that was not waited for before. */
  next(link: FakeLink, type: MessageType): Promise<Message>;
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
  const id = newIdentity(systemRandom);
  const topic = deviceTopic(id);
  const peer = scriptedPeer({
    role: 'device',
    self: id,
    key: importSignKey(keys.signing.privatePem),
    peer: { id: server.id, key: server.verify[suite] },
    newToken: () => newToken(systemClock, systemRandom),
  });
  const read = new WeakMap<FakeLink, number>();
  const accepted: Message[] = [];
  let taken = 0;

  const device: TestDevice = {
    id,
    text: identityText(id),
    topic,
    keys,
    enrolment: {
      ...{ id, type, suite, state: 'certified' },
      publicPem: keys.signing.publicPem,
      ...(keys.sealing && { sealPem: keys.sealing.publicPem }),
    },
    write: (messageType, body, lies) => peer.write(messageType, body, lies),
    say: async (link, messageType, body, token) => {
      const written = await peer.write(messageType, body, token === undefined ? {} : { token });
      await link.deliver(written.topic, written.bytes);
      return written;
    },
    hear: (bytes) => {
      const heard = peer.hear({ bytes, topic, retained: false });
      return heard.ok ? heard.value : heard.code;
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
    next: (link, messageType) =>
      until(`${messageType} to device ${device.text}`, () => {
        const found = device
          .heard(link)
          .findIndex(({ type: heard }, index) => index >= taken && heard === messageType);
        if (found < 0) return undefined;
        taken = found + 1;
        return accepted[found];
      }),
  };
  return device;
}

export function tokenOf(message: Message): TokenKey {
  return tokenKey(message.token);
}

export type TestDirectory = IdentityDirectory & { readonly revoked: string[] };

/** A key service that vouches for these devices. */
export function directoryOf(...devices: readonly TestDevice[]): TestDirectory {
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
