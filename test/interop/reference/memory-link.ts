/** A broker in memory that writes down what its clients do, as the one of the recorded run did. */
import type { Link, OpenLink } from './party.ts';

export interface BusEvent {
  readonly event: 'connect' | 'subscribe' | 'unsubscribe' | 'publish';
  readonly client: string;
  readonly topic?: string;
  readonly bytes?: Buffer;
}

export interface Bus {
  readonly events: BusEvent[];
  readonly openLink: OpenLink;
  /** Says something that nobody of the run said. */
  inject(topic: string, bytes: Buffer): void;
  /** Keeps what is published until `release`: messages cross. */
  hold(): void;
  release(): void;
}

export function makeBus(): Bus {
  const events: BusEvent[] = [];
  const filters = new Map<Link, Set<string>>();
  let held: (readonly [string, Buffer])[] | undefined;

  function deliver(topic: string, bytes: Buffer): void {
    for (const [link, wanted] of filters) {
      if ([...wanted].some((filter) => matches(filter, topic))) link.onMessage(topic, bytes);
    }
  }

  return {
    events,
    openLink: (client, first) => {
      const link: Link = {
        publish: (topic, bytes) => {
          events.push({ event: 'publish', client, topic, bytes });
          if (held === undefined) deliver(topic, bytes);
          else held.push([topic, bytes]);
        },
        subscribe: (topic) => {
          events.push({ event: 'subscribe', client, topic });
          filters.get(link)!.add(topic);
        },
        unsubscribe: (topic) => {
          events.push({ event: 'unsubscribe', client, topic });
          filters.get(link)!.delete(topic);
        },
        onMessage: () => undefined,
        close: () => Promise.resolve(),
      };
      events.push({ event: 'connect', client });
      filters.set(link, new Set());
      link.subscribe(first);
      return Promise.resolve(link);
    },
    inject: deliver,
    hold: () => {
      held = [];
    },
    release: () => {
      const waiting = held ?? [];
      held = undefined;
      for (const [topic, bytes] of waiting) deliver(topic, bytes);
    },
  };
}

/** `#` stands for its own level and all below. */
function matches(filter: string, topic: string): boolean {
  if (!filter.endsWith('/#')) return filter === topic;
  const above = filter.slice(0, -2);
  return topic === above || topic.startsWith(`${above}/`);
}
