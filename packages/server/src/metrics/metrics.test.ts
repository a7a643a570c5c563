import { expect } from 'vitest';
import { until } from '@srup/node/testing';
import { STATUS, type Clock } from '@srup/protocol';
import { test as base } from '../../test/fixtures.ts';
import { tokenOf } from '../../test/fleet/device.ts';
import { report, type World } from '../../test/fleet/world.ts';
import { createMeter, type CountingMeter } from './meter.ts';
import { createMetrics } from './metrics.ts';

const test = base
  .extend('meter', (): CountingMeter => createMeter())
  .extend('worldOptions', ({ clock, meter }) => ({ time: clock, meter }));

function metricsOf({ store }: World, meter: CountingMeter, clock: Clock) {
  return createMetrics(
    { database: 'sqlite', version: '1.2.3' },
    {
      ...{ meter, store: store.read, clock },
      isConnected: () => true,
      broker: () => undefined,
      certificates: () => ({ ca: 3000, tls: 2000, mqtt: 1000 }),
      audit: async () => ({
        ...{ server: 'b9d0', keyFingerprint: 'ab', entries: 12, alarms: ['entry 3 was changed'] },
        checkpoint: { seq: 10, at: 5000 },
        witnesses: [
          { place: '/elsewhere/witness', seq: 10, takenAt: 6000, failures: 0 },
          { place: 'https://witness.example/', seq: 4, failures: 7, trouble: 'away' },
        ],
      }),
    },
  );
}

test('what happened is counted, without a name of a device', async ({
  world,
  joined: device,
  clock,
  meter,
}) => {
  const metrics = metricsOf(world, meter, clock);
  await world.fleet.command([device.text], { kind: 'action', actionId: 0x40 });
  const action = await device.next(world.link, 'ACTION');
  await device.say(world.link, 'RESPONSE', { status: STATUS.ACTION_SUCCESS }, tokenOf(action));
  const said = await report(world, device, 7, 'level');
  await world.link.deliver(said.topic, said.bytes); // a second time
  clock.advance(120_000);

  let text = '';
  await until('the action to be over', async () => {
    text = await metrics.text();
    return text.includes('srup_exchanges_ended_total{kind="action",phase="done"} 1');
  });
  for (const line of [
    'srup_messages_total{direction="in",type="RESPONSE"} 1',
    'srup_messages_total{direction="out",type="ACTION"} 1',
    'srup_exchanges_ended_total{kind="join",phase="accepted"} 1',
    'srup_messages_refused_total{code="REPLAY_SEEN"} 1',
    'srup_devices{standing="joined"} 1',
    'srup_devices_proven_within{seconds="60"} 0',
    'srup_devices_proven_within{seconds="300"} 1',
    'srup_devices_proven_within{seconds="+Inf"} 1',
    'srup_certificate_expiry_timestamp_seconds{certificate="tls"} 2',
    'srup_audit_alarms 1',
    'srup_audit_entries 12',
    'srup_audit_witness_missing_entries{witness="/elsewhere/witness"} 0',
    'srup_audit_witness_missing_entries{witness="https://witness.example/"} 6',
    'srup_audit_witness_last_success_timestamp_seconds{witness="/elsewhere/witness"} 6',
    'srup_audit_witness_last_success_timestamp_seconds{witness="https://witness.example/"} 0',
    'srup_audit_witness_failures_total{witness="https://witness.example/"} 7',
  ]) {
    expect(text).toContain(line);
  }
  expect(text).toMatch(/^srup_commit_duration_seconds_count [1-9]/m);
  expect(text).not.toContain(device.text);
  expect(await metrics.text()).toContain('srup_messages_refused_total{code="REPLAY_SEEN"} 1'); // not added up
});
