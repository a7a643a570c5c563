/**
 * What the broker keeps for a client while it is away: subscriptions, and messages that it has not acknowledged.
 * In the place of aedes' own memory, which keeps without limit, keeps subscriptions that were refused along with
 * granted ones, and can't forget a client. There are no wills, no retained messages and no QoS 2 (P 7.3).
 */
import { Readable } from 'node:stream';

/** Messages that wait for one client, and their bytes. The oldest gives way: whoever sent it sends again. */
export interface QueueLimit {
  readonly messages: number;
  readonly bytes: number;
}

export const DEVICE_QUEUE: QueueLimit = { messages: 200, bytes: 2 ** 20 };
export const SERVER_QUEUE: QueueLimit = { messages: 20_000, bytes: 64 * 2 ** 20 };
/** What a queued message takes beside topic and payload, about. */
const ENTRY_BYTES = 200;

export interface Subscription {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
}

/** As aedes makes it; `brokerCounter` is its number in this broker. */
export interface QueuedPacket {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly brokerCounter: number;
  messageId?: number | undefined;
}

export interface SessionRules {
  limitOf(clientId: string): QueueLimit;
  /** aedes hands over the refused filters of a SUBSCRIBE together with the granted ones. */
  mayKeep(clientId: string, filter: string): boolean;
  /** Told once, until the client comes back. */
  onOverflow(clientId: string): void;
}

interface ClientRef {
  readonly id: string;
}

interface Session {
  readonly filters: Map<string, Subscription>;
  /** By brokerCounter, so in the order of arrival. */
  readonly queue: Map<number, QueuedPacket>;
  /** From the message id of the connection to the brokerCounter. */
  readonly sent: Map<number, number>;
  bytes: number;
  isOverflowing: boolean;
}

/** Names and forms of the methods are those of an aedes persistence. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  /** Clients by filter. */
  readonly #subscribers = new Map<string, Set<string>>();
  readonly #rules: SessionRules;

  constructor(rules: SessionRules) {
    this.#rules = rules;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** What waits, for all clients. */
  waiting(): { messages: number; bytes: number } {
    const total = { messages: 0, bytes: 0 };
    for (const { queue, bytes } of this.#sessions.values()) {
      total.messages += queue.size;
      total.bytes += bytes;
    }
    return total;
  }

  /** Drops subscriptions and queue, as if the client had never been here. */
  forget(clientId: string): void {
    for (const filter of this.#sessions.get(clientId)?.filters.keys() ?? []) this.#unlink(clientId, filter);
    this.#sessions.delete(clientId);
  }

  // aedes tells by the constructor of this function whether the methods give promises.
  async setup(): Promise<void> {
    // Nothing to open.
  }

  async addSubscriptions({ id }: ClientRef, subscriptions: readonly Subscription[]): Promise<void> {
    for (const { topic, qos } of subscriptions) {
      if (!this.#rules.mayKeep(id, topic)) continue;
      const session = this.#sessions.get(id) ?? newSession();
      this.#sessions.set(id, session);
      session.filters.set(topic, { topic, qos });
      const clients = this.#subscribers.get(topic) ?? new Set();
      this.#subscribers.set(topic, clients.add(id));
    }
  }

  async removeSubscriptions({ id }: ClientRef, filters: readonly string[]): Promise<void> {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    for (const filter of filters) if (session.filters.delete(filter)) this.#unlink(id, filter);
    if (session.filters.size === 0) this.#sessions.delete(id);
  }

  /** Asked when a client comes back. */
  async subscriptionsByClient({ id }: ClientRef): Promise<Subscription[]> {
    const session = this.#sessions.get(id);
    if (session === undefined) return [];
    session.isOverflowing = false;
    return [...session.filters.values()];
  }

  /** Filters are topics, or end in `/+` (P 7.2): two look-ups find them all. */
  async subscriptionsByTopic(topic: string): Promise<(Subscription & { clientId: string })[]> {
    const found: (Subscription & { clientId: string })[] = [];
    for (const filter of [topic, `${topic.slice(0, topic.lastIndexOf('/'))}/+`]) {
      for (const clientId of this.#subscribers.get(filter) ?? []) {
        const subscription = this.#sessions.get(clientId)?.filters.get(filter);
        if (subscription !== undefined && subscription.qos > 0) found.push({ ...subscription, clientId });
      }
    }
    return found;
  }

  /** The client begins without a session (MQTT-3.1.2-6). */
  async cleanSubscriptions({ id }: ClientRef): Promise<void> {
    this.forget(id);
  }

  async outgoingEnqueue(to: { readonly clientId: string }, packet: QueuedPacket): Promise<void> {
    this.#enqueue(to.clientId, packet);
  }

  async outgoingEnqueueCombi(to: readonly { clientId: string }[], packet: QueuedPacket): Promise<void> {
    for (const { clientId } of to) this.#enqueue(clientId, packet);
  }

  /** The packet is about to be sent under its message id. One that gave way is sent all the same. */
  async outgoingUpdate({ id }: ClientRef, packet: QueuedPacket): Promise<void> {
    const session = this.#sessions.get(id);
    const entry = session?.queue.get(packet.brokerCounter);
    if (session === undefined || entry === undefined || packet.messageId === undefined) return;
    if (entry.messageId !== undefined) session.sent.delete(entry.messageId);
    entry.messageId = packet.messageId;
    session.sent.set(packet.messageId, packet.brokerCounter);
  }

  /** Acknowledged, or not to be sent. */
  async outgoingClearMessageId({ id }: ClientRef, packet: QueuedPacket): Promise<QueuedPacket | undefined> {
    const session = this.#sessions.get(id);
    if (session === undefined) return undefined;
    const number = packet.messageId === undefined ? packet.brokerCounter : session.sent.get(packet.messageId);
    return number === undefined ? undefined : remove(session, number);
  }

  outgoingStream({ id }: ClientRef): Readable {
    return Readable.from([...(this.#sessions.get(id)?.queue.values() ?? [])]);
  }

  // What the rules of the broker leave nothing of: retained messages, QoS 2, wills.

  createRetainedStreamCombi(): Readable {
    return Readable.from([]);
  }

  async incomingGetPacket(): Promise<never> {
    throw new Error('no such packet');
  }

  async delWill(): Promise<void> {
    // There is none.
  }

  streamWill(): Readable {
    return Readable.from([]);
  }

  #enqueue(clientId: string, packet: QueuedPacket): void {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return; // it was forgotten meanwhile
    session.queue.set(packet.brokerCounter, { ...packet });
    session.bytes += bytesOf(packet);
    const limit = this.#rules.limitOf(clientId);
    while (session.queue.size > limit.messages || session.bytes > limit.bytes) {
      const [oldest] = session.queue.keys();
      remove(session, oldest as number);
      if (!session.isOverflowing) this.#rules.onOverflow(clientId);
      session.isOverflowing = true;
    }
  }

  #unlink(clientId: string, filter: string): void {
    const clients = this.#subscribers.get(filter);
    clients?.delete(clientId);
    if (clients?.size === 0) this.#subscribers.delete(filter);
  }
}

function newSession(): Session {
  return { filters: new Map(), queue: new Map(), sent: new Map(), bytes: 0, isOverflowing: false };
}

function remove(session: Session, number: number): QueuedPacket | undefined {
  const entry = session.queue.get(number);
  if (entry === undefined) return undefined;
  session.queue.delete(number);
  session.bytes -= bytesOf(entry);
  if (entry.messageId !== undefined && session.sent.get(entry.messageId) === number) {
    session.sent.delete(entry.messageId);
  }
  return entry;
}

function bytesOf({ topic, payload }: QueuedPacket): number {
  return ENTRY_BYTES + topic.length + payload.length;
}
