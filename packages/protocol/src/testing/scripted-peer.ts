/** One end of a conversation that says what a test tells it to, right or wrong, in real signed bytes. */
import { accept, reject, type Result } from '../faults.ts';
import type { Identity } from '../identity.ts';
import { receive, screen, type Arrival } from '../inbound.ts';
import { decode } from '../message/envelope.ts';
import { isJoinRequest, type BodyOf, type MessageType } from '../message/layouts.ts';
import type { Message } from '../message/message.ts';
import { compose, nextSequence, type Draft } from '../outbound.ts';
import { authenticate } from '../trust/authentic.ts';
import { EMPTY_WINDOW, type ReplayWindow } from '../trust/peer.ts';
import type { SealKey, SignKey, VerifyKey } from '../trust/suite.ts';
import { tokenOfKey, type TokenKey } from '../token.ts';
import { deviceTopic, topicFromDevice } from '../topics.ts';

export interface ScriptedPeerOptions {
  readonly role: 'device' | 'server';
  readonly self: Identity;
  readonly key: SignKey;
  /** The real end that it speaks with. */
  readonly peer: { readonly id: Identity; readonly key: VerifyKey; readonly sealKey?: SealKey };
  readonly newToken: () => TokenKey;
}

/** Where a message differs from an honest one. */
export interface Lies {
  /** Default: a new one. */
  readonly token?: TokenKey;
  /** Default: the next one. */
  readonly sequence?: bigint;
  /** Default: its own. */
  readonly key?: SignKey;
  readonly sender?: Identity;
}

export interface Written {
  readonly token: TokenKey;
  readonly bytes: Uint8Array;
  /** Where an honest end of this role publishes it (P 7.2). */
  readonly topic: string;
}

export interface ScriptedPeer {
  /** Makes the signed bytes of a message; nothing is sent. */
  write<T extends MessageType>(type: T, body: BodyOf<T>, lies?: Lies): Promise<Written>;
  /** Judges a message as an honest end does (P 4.6) and counts its number. A repeated one is refused. */
  hear(arrival: Arrival): Result<Message>;
  /** Checks only that the peer signed these bytes, and counts their number. A repeated one is read again. */
  read(bytes: Uint8Array): Result<Message>;
}

/**
 * Makes one end of either role. The transport is up to the test.
 *
 * @example
 * const server = scriptedPeer({ role: 'server', self: serverId, key, peer: { id, key: deviceKey }, newToken });
 * const { bytes, topic } = await server.write('ACTION', { actionId: 7 });
 * await link.publish(topic, bytes);
 */
export function scriptedPeer({ role, self, key, peer, newToken }: ScriptedPeerOptions): ScriptedPeer {
  let sent = 0n;
  /** Highest number that was heard or read. */
  let highest = 0n;
  let window: ReplayWindow = EMPTY_WINDOW;
  let joinToken: TokenKey | undefined;

  const topicOf = (type: MessageType) =>
    role === 'device' ? topicFromDevice(type, peer.id, self) : deviceTopic(peer.id);

  function count(message: Message): Result<Message> {
    if (message.sequence > highest) highest = message.sequence;
    return accept(message);
  }

  return {
    write: async (type, body, lies = {}) => {
      const token = lies.token ?? newToken();
      const number = lies.sequence ?? nextSequence({ sent, highest });
      if (lies.sequence === undefined) sent = number; // a lie does not use up a number
      if (isJoinRequest(type)) joinToken = token;
      const draft = { type, token: tokenOfKey(token), body } as unknown as Draft;
      const addressee = { id: peer.id, ...(peer.sealKey && { sealKey: peer.sealKey }) };
      const { bytes } = await compose(draft, number, lies.sender ?? self, addressee, lies.key ?? key);
      return { token, bytes, topic: topicOf(type) };
    },
    hear: (arrival) => {
      const screened = screen(arrival, { role, self });
      if (!screened.ok) return screened;
      const known = { id: peer.id, key: peer.key, window, sent, joinToken, forbids: () => undefined };
      const isPeer = screened.value.message.sender === peer.id;
      const received = receive(screened.value, isPeer ? known : undefined);
      if (!received.ok) return received;
      ({ window } = received.value);
      return count(received.value.message);
    },
    read: (bytes) => {
      const decoded = decode(bytes);
      if (!decoded.ok) return decoded;
      if (decoded.value.message.sender !== peer.id) return reject('AUTH_SENDER');
      const authentic = authenticate(decoded.value, peer.key);
      if (!authentic.ok) return authentic;
      return count(authentic.value.message);
    },
  };
}
