/** Messages that wait for one client, and their bytes. Over the limit the oldest is dropped: its sender sends it again. */
export interface QueueLimit {
  readonly messages: number;
  readonly bytes: number;
}

export const DEVICE_QUEUE: QueueLimit = { messages: 200, bytes: 2 ** 20 };
export const SERVER_QUEUE: QueueLimit = { messages: 20_000, bytes: 64 * 2 ** 20 };
/** About the bytes that a queued message takes beside topic and payload. */
const ENTRY_BYTES = 200;

export interface Subscription {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
}

/** A packet as aedes makes it; `brokerCounter` is its number in this broker. */
export interface QueuedPacket {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly brokerCounter: number;
  messageId?: number | undefined;
  dup?: boolean;
}

const MAX_MESSAGE_ID = 65_535;
/** Ids that are kept for packets without an entry: with those of a full queue, fewer than there are. */
const MOST_ORPHANS = 10_000;

/** The subscriptions of one client, and the messages that it has not acknowledged. */
export class Session {
  readonly filters = new Map<string, Subscription>();
  /** True from the first message that was dropped until the client comes back. */
  isOverflowing = false;
  /** By brokerCounter, so in the order of arrival. */
  readonly #queue = new Map<number, QueuedPacket>();
  /** From the message id of the connection to the brokerCounter. */
  readonly #sent = new Map<number, number>();
  /** Message ids of packets that were sent, left the queue, and can still be acknowledged. */
  readonly #orphans = new Set<number>();
  #bytes = 0;

  get waiting(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#queue.size, bytes: this.#bytes };
  }

  /** The client begins a connection, in which only what is queued will have an id that it had before. */
  comeBack(): void {
    this.isOverflowing = false;
    this.#orphans.clear();
  }

  packets(): QueuedPacket[] {
    return [...this.#queue.values()];
  }

  /** Queues a packet. Returns true when older ones were dropped to stay within the limit. */
  enqueue(packet: QueuedPacket, limit: QueueLimit): boolean {
    this.#queue.set(packet.brokerCounter, { ...packet });
    this.#bytes += bytesOf(packet);
    let hasDropped = false;
    while (this.#queue.size > limit.messages || this.#bytes > limit.bytes) {
      const [oldest] = this.#queue.keys();
      const { messageId } = this.#remove(oldest as number) ?? {};
      if (messageId !== undefined) this.#reserve(messageId);
      hasDropped = true;
    }
    return hasDropped;
  }

  has({ brokerCounter }: QueuedPacket): boolean {
    return this.#queue.has(brokerCounter);
  }

  /**
   * Gives a packet that is about to be sent its message id, and DUP if it was sent before (MQTT 3.3.1.1, 4.4). aedes
   * counts ids from a random start in each connection. One that an earlier packet still has could be acknowledged in its
   * place, and the wrong one would be forgotten.
   */
  address(packet: QueuedPacket): void {
    const entry = this.#queue.get(packet.brokerCounter);
    packet.dup = entry?.messageId !== undefined;
    packet.messageId = entry?.messageId ?? this.#freeId(packet.messageId ?? 1);
    if (entry === undefined) {
      this.#reserve(packet.messageId);
      return;
    }
    entry.messageId = packet.messageId;
    this.#sent.set(packet.messageId, packet.brokerCounter);
  }

  /** Removes the packet with this message id, or the packet itself when it has none. */
  take({ brokerCounter, messageId }: QueuedPacket): QueuedPacket | undefined {
    if (messageId !== undefined) this.#orphans.delete(messageId);
    const number = messageId === undefined ? brokerCounter : this.#sent.get(messageId);
    return number === undefined ? undefined : this.#remove(number);
  }

  /** The oldest id is given up for a new one: a client that acknowledges nothing must not use up memory and ids. */
  #reserve(id: number): void {
    this.#orphans.add(id);
    if (this.#orphans.size <= MOST_ORPHANS) return;
    const [oldest] = this.#orphans;
    this.#orphans.delete(oldest as number);
  }

  /** The queue is limited to fewer packets than there are ids. */
  #freeId(from: number): number {
    let id = from;
    while (this.#sent.has(id) || this.#orphans.has(id)) id = (id % MAX_MESSAGE_ID) + 1;
    return id;
  }

  #remove(number: number): QueuedPacket | undefined {
    const entry = this.#queue.get(number);
    if (entry === undefined) return undefined;
    this.#queue.delete(number);
    this.#bytes -= bytesOf(entry);
    if (entry.messageId !== undefined && this.#sent.get(entry.messageId) === number) {
      this.#sent.delete(entry.messageId);
    }
    return entry;
  }
}

function bytesOf({ topic, payload }: QueuedPacket): number {
  return ENTRY_BYTES + topic.length + payload.length;
}
