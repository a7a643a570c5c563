/** The metrics of one server, in Prometheus' text form. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Clock } from '@srup/protocol';
import type { ArtifactTables } from '../artifacts/tables.ts';
import type { BrokerStats } from '../broker/broker.ts';
import type { AuditStatus } from '../api/forms/audit.ts';
import type { FleetTables } from '../store/tables.ts';
import { createMeter, type Meter } from './meter.ts';
import { AGES, readState, type StoredState } from './state.ts';
import type { Read } from '../store/port.ts';

export interface Sources {
  readonly store: Read<FleetTables & ArtifactTables>;
  readonly clock: Clock;
  /** Is the link to the broker up, and are its answers heard? */
  readonly isConnected: () => boolean;
  /** Undefined with a broker elsewhere. */
  readonly broker: () => BrokerStats | undefined;
  /** Ends of certificates, ms since 1970. */
  readonly certificates: () => Readonly<Record<'ca' | 'tls' | 'mqtt', number>>;
  readonly audit: () => Promise<AuditStatus>;
}

export interface Metrics {
  readonly meter: Meter;
  /** What else is shown is read from here. Call it once. */
  watch(sources: Sources): void;
  readonly contentType: string;
  text(): Promise<string>;
}

export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'srup_build_info',
    help: 'The version that runs; the value is always 1',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
  let collect: () => Promise<void> = () => Promise.resolve();
  return {
    meter: createMeter(registry),
    watch: (sources) => {
      collect = createCollect(registry, sources);
    },
    contentType: registry.contentType,
    text: async () => {
      await collect();
      return registry.metrics();
    },
  };
}

/** Sets everything that is read when asked for. */
function createCollect(registry: Registry, sources: Sources): () => Promise<void> {
  const setState = stateMetrics(registry);
  const setBroker = brokerMetrics(registry);
  const setAudit = auditMetrics(registry);
  const gauge = gauges(registry);
  const link = gauge('srup_broker_link_up', '1 while the server is connected to its broker and heard there');
  const ends = gauge('srup_certificate_expiry_timestamp_seconds', 'When a certificate of the server ends', [
    'certificate',
  ]);
  return async () => {
    const now = sources.clock.now();
    setState(await readState(sources.store, now), now);
    link.set(sources.isConnected() ? 1 : 0);
    for (const [certificate, end] of Object.entries(sources.certificates())) {
      ends.set({ certificate }, end / 1000);
    }
    setAudit(await sources.audit());
    const stats = sources.broker();
    if (stats !== undefined) setBroker(stats);
  };
}

function gauges(registry: Registry) {
  return <Label extends string>(name: string, help: string, labelNames: Label[] = []): Gauge<Label> =>
    new Gauge({ name, help, labelNames, registers: [registry] });
}

function stateMetrics(registry: Registry): (state: StoredState, now: number) => void {
  const gauge = gauges(registry);
  const devices = gauge('srup_devices', 'Devices by standing', ['standing']);
  const proven = gauge(
    'srup_devices_proven_within',
    'Joined devices whose last signed message is at most so many seconds old; +Inf: ever',
    ['seconds'],
  );
  const open = gauge('srup_exchanges_open', 'Exchanges that wait for a device or a person', [
    'kind',
    'phase',
  ]);
  const owed = gauge('srup_outbox_messages', 'Messages that the broker has not taken yet');
  const oldest = gauge('srup_outbox_oldest_age_seconds', 'How long the oldest of them waits');
  const artifacts = gauge('srup_artifacts', 'Uploaded files');
  const bytes = gauge('srup_artifacts_bytes', 'Bytes of all uploaded files');
  const refused = new Counter({
    name: 'srup_messages_refused_total',
    help: 'Messages refused since the server was set up, by code',
    labelNames: ['code'],
    registers: [registry],
  });
  return (state, now) => {
    devices.reset();
    for (const { standing, count } of state.standings) devices.set({ standing }, count);
    for (const [index, count] of state.provenWithin.entries()) {
      proven.set({ seconds: AGES[index]?.toString() ?? '+Inf' }, count);
    }
    open.reset();
    for (const { kind, phase, count } of state.open) open.set({ kind, phase }, count);
    owed.set(state.outbox.count);
    oldest.set(state.outbox.oldest === null ? 0 : Math.max(0, now - state.outbox.oldest) / 1000);
    artifacts.set(state.artifacts.count);
    bytes.set(state.artifacts.bytes ?? 0);
    refused.reset();
    for (const { code, count } of state.refusals) refused.inc({ code }, count);
  };
}

function auditMetrics(registry: Registry): (status: AuditStatus) => void {
  const gauge = gauges(registry);
  const alarms = gauge('srup_audit_alarms', 'What was found wrong with the audit trail; 0: it holds');
  const entries = gauge('srup_audit_entries', 'Entries of the audit trail');
  const signed = gauge('srup_audit_signed_entries', 'Entries up to the last checkpoint');
  const missing = gauge(
    'srup_audit_witness_missing_entries',
    'Signed entries that a witness has no checkpoint for',
    ['witness'],
  );
  const taken = gauge(
    'srup_audit_witness_last_success_timestamp_seconds',
    'When a witness took a checkpoint; there are new ones only when there are new entries',
    ['witness'],
  );
  const failures = new Counter({
    name: 'srup_audit_witness_failures_total',
    help: 'Tries since the start in which a witness took nothing',
    labelNames: ['witness'],
    registers: [registry],
  });
  return (status) => {
    const signedEntries = status.checkpoint?.seq ?? 0;
    alarms.set(status.alarms.length);
    entries.set(status.entries);
    signed.set(signedEntries);
    failures.reset();
    for (const { place: witness, seq, takenAt, failures: count } of status.witnesses) {
      missing.set({ witness }, Math.max(0, signedEntries - seq));
      taken.set({ witness }, (takenAt ?? 0) / 1000);
      failures.inc({ witness }, count);
    }
  };
}

function brokerMetrics(registry: Registry): (stats: BrokerStats) => void {
  const gauge = gauges(registry);
  const connections = gauge(
    'srup_broker_connections',
    'Connections to the embedded broker, our own included',
  );
  const sessions = gauge('srup_broker_sessions', 'Kept sessions, connected or not');
  const waiting = gauge('srup_broker_waiting_messages', 'Messages that clients have not acknowledged');
  const bytes = gauge('srup_broker_waiting_bytes', 'Bytes of these');
  const refused = new Counter({
    name: 'srup_broker_refused_total',
    help: 'What the embedded broker refused since the start, by code',
    labelNames: ['code'],
    registers: [registry],
  });
  return (stats) => {
    connections.set(stats.connected);
    sessions.set(stats.sessions);
    waiting.set(stats.waiting.messages);
    bytes.set(stats.waiting.bytes);
    refused.reset();
    for (const [code, count] of Object.entries(stats.refusals)) refused.inc({ code }, count);
  };
}
