import type { ServerExchange } from '@srup/protocol';
import { Counter, Histogram, type Registry } from 'prom-client';

/** What the core counts while it works. No identity is a label: a fleet has too many of them. */
export interface Meter {
  /** A message of a device was accepted, by its type. */
  accepted(type: string): void;
  /** The broker has taken a message to a device. */
  sent(type: string): void;
  /** An exchange is over. */
  ended(exchange: Pick<ServerExchange, 'kind' | 'phase'>): void;
  /** A transaction of the core's database was on the disk after so long. */
  committed(seconds: number): void;
}

export const SILENT: Meter = {
  accepted: () => undefined,
  sent: () => undefined,
  ended: () => undefined,
  committed: () => undefined,
};

/** Seconds: a good SSD to a disk in trouble. */
const COMMIT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

export function createMeter(registry: Registry): Meter {
  const registers = [registry];
  const messages = new Counter({
    name: 'srup_messages_total',
    help: 'Messages accepted from devices (in) and taken by the broker (out), by type',
    labelNames: ['direction', 'type'],
    registers,
  });
  const exchanges = new Counter({
    name: 'srup_exchanges_ended_total',
    help: 'Exchanges that are over, by kind and last phase',
    labelNames: ['kind', 'phase'],
    registers,
  });
  const commits = new Histogram({
    name: 'srup_commit_duration_seconds',
    help: "Time of a transaction of the core's database until it is on the disk",
    buckets: COMMIT_BUCKETS,
    registers,
  });
  return {
    accepted: (type) => {
      messages.inc({ direction: 'in', type });
    },
    sent: (type) => {
      messages.inc({ direction: 'out', type });
    },
    ended: ({ kind, phase }) => {
      exchanges.inc({ kind, phase });
    },
    committed: (seconds) => {
      commits.observe(seconds);
    },
  };
}
