import { createArrivals, LineOver, whyNotTaken, type Arrivals, type Line } from '../arrivals.ts';
import { MqttError, type MqttLink } from '../mqtt.ts';

/**
 * The broker's side of one connection, in this process: QoS 1, many messages at once, in order. A message that has no
 * PUBACK is delivered again over the next connection, and what this end publishes comes back to it if it has subscribed
 * to the topic. It is up or down as the test says.
 */
export interface FakeLink extends MqttLink {
  /** Delivers a message, whatever the filters. Resolves on its PUBACK, however many deliveries that takes. */
  deliver(topic: string, bytes: Uint8Array, options?: DeliverOptions): Promise<void>;
  /** `sessionKept`: the broker still has our filters; by default it has from the second connection on. */
  connect(sessionKept?: boolean): void;
  disconnect(reason?: string): void;
  /** What reached the broker, in order. */
  readonly published: { readonly topic: string; readonly bytes: Uint8Array }[];
  readonly filters: Set<string>;
  /** Why deliveries ended without a PUBACK. */
  readonly drops: string[];
  /** Runs before a message reaches the broker; it may hang or throw. */
  onPublish: (topic: string, bytes: Uint8Array) => Promise<void> | void;
  /** Runs when the broker has the message, before the PUBACK. */
  beforePuback: (topic: string, bytes: Uint8Array) => Promise<void> | void;
}

export interface DeliverOptions {
  readonly retained?: boolean;
  /** DUP already at the first delivery, as a broker can lie. */
  readonly repeated?: boolean;
}

interface Waiting {
  readonly id: number;
  readonly topic: string;
  readonly bytes: Uint8Array;
  readonly retained: boolean;
  /** It was delivered before. */
  repeated: boolean;
  readonly acknowledge: () => void;
}

interface Connection {
  /** What it has to deliver. */
  readonly queue: Waiting[];
  readonly arrivals: Arrivals;
  readonly line: Line;
  /** The link reads nothing more for now. */
  isHeld: boolean;
}

const IN_HAND = 200;

/**
 * A link without a network; it passes the contract suite that `connectMqtt` passes. It begins unconnected. `inHand`: the
 * most messages in hand.
 *
 * @example
 * const link = fakeLink();
 * const fleet = await createFleet({ link, ... });
 * link.connect();
 * await link.deliver(topic, bytes); // resolves when the fleet has committed it
 */
export function fakeLink(inHand = IN_HAND): FakeLink {
  let connection: Connection | undefined;
  let wasUp = false;
  let isClosed = false;
  let lastId = 0;
  /** What has no PUBACK, by packet id, in order. */
  const waiting = new Map<number, Waiting>();

  function open(): Connection {
    let isOver = false;
    const arrivals = createArrivals({
      most: inHand,
      acknowledge: (ids) => {
        for (const id of ids) {
          waiting.get(id)?.acknowledge();
          waiting.delete(id);
        }
      },
    });
    const line: Line = {
      get isOver() {
        return isOver;
      },
      drop: (reason) => {
        if (isOver) return;
        isOver = true;
        arrivals.end();
        connection = undefined;
        link.onDisconnect(reason, 0);
      },
    };
    return { queue: [...waiting.values()], arrivals, line, isHeld: false };
  }

  function bring(to: Connection): void {
    for (let one = to.queue[0]; one !== undefined && !to.isHeld; one = to.queue[0]) {
      const next = one;
      to.queue.shift();
      to.isHeld = true;
      let isCalled = false;
      to.arrivals.receive(
        next.id,
        () => take(to, next),
        () => {
          to.isHeld = false;
          if (isCalled) bring(to);
        },
      );
      isCalled = true;
    }
  }

  async function take({ line }: Connection, one: Waiting): Promise<void> {
    const { topic, bytes, retained, repeated } = one;
    one.repeated = true;
    try {
      await link.onMessage({ topic, bytes: Uint8Array.from(bytes), retained, repeated, line });
    } catch (fault) {
      if (!(fault instanceof LineOver)) link.drops.push(String(fault));
      line.drop(whyNotTaken(fault));
      throw fault;
    }
  }

  function enqueue(message: Omit<Waiting, 'id'>): void {
    const one = { ...message, bytes: Uint8Array.from(message.bytes), id: ++lastId };
    waiting.set(one.id, one);
    if (connection === undefined) return;
    connection.queue.push(one);
    bring(connection);
  }

  function requireUp(): void {
    if (connection === undefined) throw new MqttError('not connected to the broker');
  }

  const link: FakeLink = {
    published: [],
    filters: new Set(),
    drops: [],
    onPublish: () => undefined,
    beforePuback: () => undefined,
    onMessage: () => Promise.reject(new TypeError('nobody takes the messages of this link')),
    onConnect: () => undefined,
    onDisconnect: () => undefined,
    deliver: (topic, bytes, { retained = false, repeated = false } = {}) =>
      new Promise((acknowledge) => {
        enqueue({ topic, bytes, retained, repeated, acknowledge });
      }),
    connect: (sessionKept = wasUp) => {
      if (isClosed) throw new TypeError('the link is closed');
      const next = open();
      connection = next;
      wasUp = true;
      if (!sessionKept) link.filters.clear();
      link.onConnect(sessionKept);
      bring(next);
    },
    disconnect: (reason = 'the test ended the connection') => connection?.line.drop(reason),
    publish: async (topic, bytes) => {
      requireUp();
      await link.onPublish(topic, bytes);
      link.published.push({ topic, bytes: Uint8Array.from(bytes) });
      if (link.filters.has(topic)) {
        enqueue({ topic, bytes, retained: false, repeated: false, acknowledge: () => undefined });
      }
      await link.beforePuback(topic, bytes);
    },
    subscribe: async (filters) => {
      requireUp();
      for (const filter of filters) link.filters.add(filter);
    },
    unsubscribe: async (filters) => {
      requireUp();
      for (const filter of filters) link.filters.delete(filter);
    },
    drop: (reason) => {
      link.disconnect(reason);
    },
    close: async () => {
      isClosed = true;
      link.disconnect('closed');
    },
  };
  return link;
}
