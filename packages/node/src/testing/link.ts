import { MqttError, type MqttArrival, type MqttLink } from '../mqtt.ts';

/**
 * The broker's side of one connection, in this process: QoS 1, one message at a time, in order. The PUBACK waits until
 * the receiver is done, a message is delivered again after a connection that was dropped, and what this end publishes
 * comes back to it if it has subscribed to the topic. It is up or down as the test says.
 */
export interface FakeLink extends MqttLink {
  /** Delivers a message, whatever the filters. Resolves on its PUBACK, however many deliveries that takes. */
  deliver(topic: string, bytes: Uint8Array, retained?: boolean): Promise<void>;
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

interface Waiting extends MqttArrival {
  readonly acknowledge: () => void;
}

/**
 * A link without a network; it passes the contract suite that `connectMqtt` passes. It begins unconnected.
 *
 * @example
 * const link = fakeLink();
 * const fleet = await createFleet({ link, ... });
 * link.connect();
 * await link.deliver(topic, bytes); // resolves when the fleet has committed it
 */
export function fakeLink(): FakeLink {
  let isUp = false;
  let wasUp = false;
  let isClosed = false;
  let isBusy = false;
  /** The end of what the receiver does now: a PUBACK for us waits for it, as on a real connection. */
  let taking: Promise<void> = Promise.resolve();
  const waiting: Waiting[] = [];

  async function bring(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    for (let first = waiting[0]; isUp && first !== undefined; first = waiting[0]) {
      const { topic, bytes, retained } = first;
      try {
        const taken = link.onMessage({ topic, bytes: Uint8Array.from(bytes), retained });
        taking = taken.catch(() => undefined);
        await taken;
        waiting.shift();
        first.acknowledge();
      } catch (fault) {
        link.drops.push(String(fault));
        link.disconnect(`a message could not be taken: ${String(fault)}`);
      }
    }
    isBusy = false;
  }

  function enqueue(topic: string, bytes: Uint8Array, retained: boolean, acknowledge: () => void): void {
    waiting.push({ topic, bytes: Uint8Array.from(bytes), retained, acknowledge });
    void bring();
  }

  function requireUp(): void {
    if (!isUp) throw new MqttError('not connected to the broker');
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
    deliver: (topic, bytes, retained = false) =>
      new Promise((resolve) => {
        enqueue(topic, bytes, retained, resolve);
      }),
    connect: (sessionKept = wasUp) => {
      if (isClosed) throw new TypeError('the link is closed');
      isUp = true;
      wasUp = true;
      if (!sessionKept) link.filters.clear();
      link.onConnect(sessionKept);
      void bring();
    },
    disconnect: (reason = 'the test ended the connection') => {
      if (!isUp) return;
      isUp = false;
      link.onDisconnect(reason, 0);
    },
    publish: async (topic, bytes) => {
      requireUp();
      await link.onPublish(topic, bytes);
      link.published.push({ topic, bytes: Uint8Array.from(bytes) });
      if (link.filters.has(topic)) enqueue(topic, bytes, false, () => undefined);
      await link.beforePuback(topic, bytes);
      await taking;
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
