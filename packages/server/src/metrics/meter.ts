import type { ServerExchange } from '@srup/protocol';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ConnectionState } from '../store/port.ts';

/** What the server counts while it works. No identity is a label: a fleet has too many of them. */
export interface Meter {
  /** A message of this type from a device was accepted. */
  accepted(type: string): void;
  /** The broker brought a message again that was accepted before. */
  repeated(): void;
  /** The broker has taken a message of this type to a device. */
  sent(type: string): void;
  /** An exchange is over. */
  ended(exchange: Pick<ServerExchange, 'kind' | 'phase'>): void;
  /** A transaction of the core's database took this many seconds until it was on disk. */
  committed(seconds: number): void;
  /** A connection of the core's or the key service's database was lost, or is there again. */
  connection(database: DatabaseName, state: ConnectionState): void;
}

/** The databases of a server: they can be away one by one. */
export type DatabaseName = 'core' | 'keys';

/** Counts nothing. */
export const SILENT: Meter = {
  accepted: () => undefined,
  repeated: () => undefined,
  sent: () => undefined,
  ended: () => undefined,
  committed: () => undefined,
  connection: () => undefined,
};

/** Seconds, from a good SSD to a disk in trouble. */
const COMMIT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

export interface CountingMeter extends Meter {
  /** The counts in Prometheus' text form. */
  text(): Promise<string>;
}

/**
 * A meter whose counts are metrics.
 *
 * @example
 * const meter = createMeter();
 * meter.accepted('SRUP_RESPONSE');
 * await meter.text(); // ... srup_messages_total{direction="in",type="SRUP_RESPONSE"} 1
 */
export function createMeter(): CountingMeter {
  const registry = new Registry();
  const registers = [registry];
  const messages = new Counter({
    name: 'srup_messages_total',
    help: 'Messages that were accepted from devices (in) or that the broker took (out), by type',
    labelNames: ['direction', 'type'],
    registers,
  });
  const repeated = new Counter({
    name: 'srup_messages_repeated_total',
    help: 'Messages that were accepted before, and that the broker brought again because it had no acknowledgement',
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
  const up = new Gauge({
    name: 'srup_database_up',
    help: '1 while the connection that writes to the database is there; a file is always there',
    labelNames: ['database'],
    registers,
  });
  const connections = new Counter({
    name: 'srup_database_connections_total',
    help: 'Connections that write which were lost, and which came back',
    labelNames: ['database', 'state'],
    registers,
  });
  for (const database of ['core', 'keys'] as const) {
    up.set({ database }, 1);
    for (const state of ['lost', 'back'] as const) connections.inc({ database, state }, 0);
  }
  return {
    connection: (database, state) => {
      up.set({ database }, state === 'back' ? 1 : 0);
      connections.inc({ database, state });
    },
    accepted: (type) => {
      messages.inc({ direction: 'in', type });
    },
    repeated: () => {
      repeated.inc();
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
    text: () => registry.metrics(),
  };
}
