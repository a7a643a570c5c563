import type { MqttArrival, MqttLink } from '@srup/node';

/**
 * A broker's side of one connection, in this process: QoS 1, one message at a time, in order, the PUBACK held until
 * the receiver is done, brought again after a connection that was dropped, and our own messages coming back to us.
 */
export interface TestLink extends MqttLink {
  /** Resolves when the message was acknowledged, however many deliveries that took. */
  deliver(topic: string, bytes: Uint8Array, retained?: boolean): Promise<void>;
  /** `sessionKept`: it has been connected before, and the broker knows (the default then). */
  connect(sessionKept?: boolean): void;
  disconnect(): void;
  /** What reached the broker, in order. */
  readonly published: { readonly topic: string; readonly bytes: Uint8Array }[];
  readonly filters: Set<string>;
  /** Deliveries that ended without a PUBACK. */
  readonly drops: string[];
  /** Runs before a message reaches the broker; may hang or throw. */
  onPublish: (topic: string, bytes: Uint8Array) => Promise<void> | void;
  /** Runs when the broker has the message, before we hear of it. */
  beforePuback: (topic: string, bytes: Uint8Array) => Promise<void> | void;
}

interface Waiting extends MqttArrival {
  readonly acknowledge: () => void;
}

export function createTestLink(): TestLink {
  let isUp = false;
  let wasUp = false;
  let isBusy = false;
  const waiting: Waiting[] = [];

  async function bring(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    for (let first = waiting[0]; isUp && first !== undefined; first = waiting[0]) {
      try {
        await link.onMessage(first);
        waiting.shift();
        first.acknowledge();
      } catch (fault) {
        link.drops.push(String(fault));
        link.disconnect();
      }
    }
    isBusy = false;
  }

  const link: TestLink = {
    published: [],
    filters: new Set(),
    drops: [],
    onPublish: () => undefined,
    beforePuback: () => undefined,
    onMessage: () => Promise.reject(new Error('no receiver')),
    onConnect: () => undefined,
    onDisconnect: () => undefined,
    deliver: (topic, bytes, retained = false) =>
      new Promise((acknowledge) => {
        waiting.push({ topic, bytes: Uint8Array.from(bytes), retained, acknowledge });
        void bring();
      }),
    connect: (sessionKept = wasUp) => {
      isUp = true;
      wasUp = true;
      link.onConnect(sessionKept);
      void bring();
    },
    disconnect: () => {
      isUp = false;
      link.onDisconnect('test', 0);
    },
    publish: async (topic, bytes) => {
      if (!isUp) throw new Error('not connected');
      await link.onPublish(topic, bytes);
      link.published.push({ topic, bytes: Uint8Array.from(bytes) });
      if (link.filters.has(topic)) {
        waiting.push({ topic, bytes: Uint8Array.from(bytes), retained: false, acknowledge: () => undefined });
        void bring();
      }
      await link.beforePuback(topic, bytes);
    },
    subscribe: async (filters) => {
      if (!isUp) throw new Error('not connected');
      for (const filter of filters) link.filters.add(filter);
    },
    unsubscribe: async (filters) => {
      for (const filter of filters) link.filters.delete(filter);
    },
    drop: () => {
      link.disconnect();
    },
    close: async () => {
      isUp = false;
    },
  };
  return link;
}
