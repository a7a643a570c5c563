/**
 * What the broker keeps for clients that are away: subscriptions, and messages that they have not acknowledged. It
 * stands in for the memory of aedes, which grows without limit, keeps refused subscriptions along with granted ones,
 * and cannot forget a client. There are no wills, no retained messages and no QoS 2 (P 7.3).
 */
import { Readable } from 'node:stream';
import { Session, type QueuedPacket, type QueueLimit, type Subscription } from './session.ts';

export interface SessionRules {
  limitOf(clientId: string): QueueLimit;
  /** aedes hands over the refused filters of a SUBSCRIBE together with the granted ones. */
  mayKeep(clientId: string, filter: string): boolean;
  /** Called for the first message that is dropped; then not again until the client comes back. */
  onOverflow(clientId: string): void;
}

interface ClientRef {
  readonly id: string;
}

/** A client as aedes has it while it is connected. */
interface ConnectedClient extends ClientRef {
  /** Until then aedes has not looked for what waited. */
  readonly connackSent: boolean;
  readonly conn: { readonly destroyed: boolean; once(event: 'close', listener: () => void): unknown };
}

/** What waited for a client is being sent to it, after it came back. */
interface Resending {
  /** Number of the last packet that waited; undefined until aedes asks for them. */
  last: number | undefined;
  readonly ended: Promise<unknown>;
  readonly end: () => void;
}

/** The methods have the names and forms of an aedes persistence. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  /** Clients by filter. */
  readonly #subscribers = new Map<string, Set<string>>();
  readonly #resending = new WeakMap<ConnectedClient, Resending>();
  readonly #rules: SessionRules;

  constructor(rules: SessionRules) {
    this.#rules = rules;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** What waits for all clients together. */
  waiting(): { messages: number; bytes: number } {
    const total = { messages: 0, bytes: 0 };
    for (const { waiting } of this.#sessions.values()) {
      total.messages += waiting.messages;
      total.bytes += waiting.bytes;
    }
    return total;
  }

  /** Drops subscriptions and queue, as if the client had never been here. */
  forget(clientId: string): void {
    for (const filter of this.#sessions.get(clientId)?.filters.keys() ?? []) this.#unlink(clientId, filter);
    this.#sessions.delete(clientId);
  }

  // aedes finds out by the constructor of this function whether the methods return promises.
  async setup(): Promise<void> {
    // Nothing to open.
  }

  async addSubscriptions({ id }: ClientRef, subscriptions: readonly Subscription[]): Promise<void> {
    for (const { topic, qos } of subscriptions) {
      if (!this.#rules.mayKeep(id, topic)) continue;
      const session = this.#sessions.get(id) ?? new Session();
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

  /** aedes calls this when a client comes back. */
  async subscriptionsByClient({ id }: ClientRef): Promise<Subscription[]> {
    const session = this.#sessions.get(id);
    if (session === undefined) return [];
    session.comeBack();
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

  /**
   * The packet is about to be sent. aedes sends what is new beside what waited; here the new waits, as otherwise it would
   * overtake older messages of its sender (MQTT 4.6.0). A packet that was dropped from the queue is sent all the same.
   */
  async outgoingUpdate(client: ConnectedClient, packet: QueuedPacket): Promise<void> {
    const { id, connackSent } = client;
    const resending = connackSent ? this.#resending.get(client) : this.#resend(client);
    // No packet comes in with DUP: it is what waited.
    if (packet.dup === true || resending === undefined) {
      this.#sessions.get(id)?.address(packet);
      if (packet.brokerCounter === resending?.last) setImmediate(resending.end);
      return;
    }
    const waited = this.#sessions.get(id)?.has(packet) === true;
    await resending.ended;
    const session = this.#sessions.get(id);
    session?.address(packet);
    // It came just before aedes looked for what waited, so it was sent with that.
    if (waited && session?.has(packet) === false) packet.dup = true;
  }

  /** The packet was acknowledged, or must not be sent. */
  async outgoingClearMessageId({ id }: ClientRef, packet: QueuedPacket): Promise<QueuedPacket | undefined> {
    return this.#sessions.get(id)?.take(packet);
  }

  /** aedes sends these to a client that came back. */
  outgoingStream(client: ConnectedClient): Readable {
    const packets = this.#sessions.get(client.id)?.packets() ?? [];
    const resending = this.#resend(client);
    resending.last = packets.at(-1)?.brokerCounter;
    if (resending.last === undefined) resending.end();
    return Readable.from(packets.map((packet) => ({ ...packet, dup: true })));
  }

  // The broker's rules allow no retained messages, no QoS 2 and no wills, so there is nothing of these.

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

  #resend(client: ConnectedClient): Resending {
    const known = this.#resending.get(client);
    if (known !== undefined) return known;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const end = (): void => {
      this.#resending.delete(client);
      resolve(undefined);
    };
    const resending: Resending = { last: undefined, ended: promise, end };
    this.#resending.set(client, resending);
    if (client.conn.destroyed) end();
    else client.conn.once('close', end);
    return resending;
  }

  #enqueue(clientId: string, packet: QueuedPacket): void {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return; // it was forgotten in the meantime
    const hasDropped = session.enqueue(packet, this.#rules.limitOf(clientId));
    if (!hasDropped) return;
    if (!session.isOverflowing) this.#rules.onOverflow(clientId);
    session.isOverflowing = true;
  }

  #unlink(clientId: string, filter: string): void {
    const clients = this.#subscribers.get(filter);
    clients?.delete(clientId);
    if (clients?.size === 0) this.#subscribers.delete(filter);
  }
}
