import type { Registry } from 'prom-client';
import type { BrokerStats } from '../broker/broker.ts';
import { instruments } from './instruments.ts';

/** The embedded broker. Returns how to set it. */
export function brokerState(registry: Registry): (stats: BrokerStats) => void {
  const { gauge, counter } = instruments(registry);
  const connections = gauge(
    'srup_broker_connections',
    "Connections to the embedded broker, the server's own included",
  );
  const sessions = gauge('srup_broker_sessions', 'Kept sessions, connected or not');
  const waiting = gauge('srup_broker_waiting_messages', 'Messages that clients have not acknowledged');
  const bytes = gauge('srup_broker_waiting_bytes', 'Bytes of these messages');
  const refused = counter(
    'srup_broker_refused_total',
    'What the embedded broker refused since the start, by code',
    ['code'],
  );
  return (stats) => {
    connections.set(stats.connected);
    sessions.set(stats.sessions);
    waiting.set(stats.waiting.messages);
    bytes.set(stats.waiting.bytes);
    refused.reset();
    for (const [code, count] of Object.entries(stats.refusals)) refused.inc({ code }, count);
  };
}
