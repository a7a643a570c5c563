/** The metrics of one server, in Prometheus' text form. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Clock } from '@srup/protocol';
import type { BrokerStats } from '../broker/broker.ts';
import type { AuditStatus } from '../api/forms/audit.ts';
import type { Read } from '../store/port.ts';
import { auditState } from './audit-state.ts';
import { brokerState } from './broker-state.ts';
import { fleetState } from './fleet-state.ts';
import { instruments } from './instruments.ts';
import type { CountingMeter } from './meter.ts';
import { readState } from './state.ts';
import type { CoreTables } from '../store/schema/tables.ts';

export interface MetricsOptions {
  /** The version that runs. */
  readonly version: string;
  /** The kind of the databases: `sqlite` or `postgres`. */
  readonly database: string;
}

/** Where the metrics are read when somebody asks for them. */
export interface MetricsPorts {
  /** What is counted while the server works. */
  readonly meter: CountingMeter;
  readonly store: Read<CoreTables>;
  readonly clock: Clock;
  /** Is the link to the broker up, and are its answers heard? */
  readonly isConnected: () => boolean;
  /** Undefined for a broker elsewhere. */
  readonly broker: () => BrokerStats | undefined;
  /** When certificates end, in ms since 1970. */
  readonly certificates: () => Readonly<Record<'ca' | 'tls' | 'mqtt', number>>;
  readonly audit: () => Promise<AuditStatus>;
}

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

/**
 * Makes the metrics of a server.
 *
 * @example
 * const metrics = createMetrics({ version: '1.0.0', database: 'sqlite' }, { meter, store, clock, isConnected, broker, certificates, audit });
 * await metrics.text(); // '# HELP process_cpu_user_seconds_total ...'
 */
export function createMetrics({ version, database }: MetricsOptions, ports: MetricsPorts): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'srup_build_info',
    help: 'The version that runs; the value is always 1',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
  new Gauge({
    name: 'srup_database_info',
    help: 'The kind of the databases; the value is always 1',
    labelNames: ['kind'],
    registers: [registry],
  }).set({ kind: database }, 1);
  const collect = createCollect(registry, ports);
  return {
    contentType: registry.contentType,
    text: async () => {
      await collect();
      return `${await registry.metrics()}\n${await ports.meter.text()}`;
    },
  };
}

/** Sets everything that is read when somebody asks. */
function createCollect(registry: Registry, ports: MetricsPorts): () => Promise<void> {
  const setFleet = fleetState(registry);
  const setBroker = brokerState(registry);
  const setAudit = auditState(registry);
  const { gauge } = instruments(registry);
  const link = gauge(
    'srup_broker_link_up',
    '1 while the server is connected to its broker and hears its answers',
  );
  const ends = gauge('srup_certificate_expiry_timestamp_seconds', 'When a certificate of the server ends', [
    'certificate',
  ]);
  return async () => {
    const now = ports.clock.now();
    setFleet(await readState(ports.store, now), now);
    link.set(ports.isConnected() ? 1 : 0);
    for (const [certificate, end] of Object.entries(ports.certificates())) {
      ends.set({ certificate }, end / 1000);
    }
    setAudit(await ports.audit());
    const stats = ports.broker();
    if (stats !== undefined) setBroker(stats);
  };
}
