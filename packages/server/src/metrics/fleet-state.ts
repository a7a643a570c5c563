import type { Registry } from 'prom-client';
import { instruments } from './instruments.ts';
import { AGES, type StoredState } from './state.ts';

/** What the store of the core knows of the fleet. Returns how to set it; `now`: ms since 1970. */
export function fleetState(registry: Registry): (state: StoredState, now: number) => void {
  const { gauge, counter } = instruments(registry);
  const devices = gauge('srup_devices', 'Devices by standing', ['standing']);
  const proven = gauge(
    'srup_devices_proven_within',
    'Joined devices whose last signed message is at most this many seconds old; +Inf: ever',
    ['seconds'],
  );
  const open = gauge('srup_exchanges_open', 'Exchanges that wait for a device or a person', [
    'kind',
    'phase',
  ]);
  const owed = gauge('srup_outbox_messages', 'Messages that the broker has not taken yet');
  const oldest = gauge('srup_outbox_oldest_age_seconds', 'Age of the oldest of these messages');
  const artifacts = gauge('srup_artifacts', 'Uploaded files');
  const bytes = gauge('srup_artifacts_bytes', 'Bytes of all uploaded files');
  const refused = counter(
    'srup_messages_refused_total',
    'Messages refused since the server was set up, by code',
    ['code'],
  );
  return (state, now) => {
    devices.reset();
    for (const { standing, count } of state.standings) devices.set({ standing }, count);
    for (const [index, count] of state.provenWithin.entries()) {
      proven.set({ seconds: AGES[index]?.toString() ?? '+Inf' }, count);
    }
    open.reset();
    for (const { kind, phase, count } of state.open) open.set({ kind, phase }, count);
    owed.set(state.outbox.count);
    oldest.set(state.outbox.oldest === undefined ? 0 : Math.max(0, now - state.outbox.oldest) / 1000);
    artifacts.set(state.artifacts.count);
    bytes.set(state.artifacts.bytes);
    refused.reset();
    for (const { code, count } of state.refusals) refused.inc({ code }, count);
  };
}
