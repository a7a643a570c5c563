import { join } from 'node:path';
import { expect } from 'vitest';
import { test } from '../support/fixtures.ts';
import { startDevice, untilJoined } from '../support/device.ts';
import { until } from '../support/wait.ts';
import { runExample } from './run.ts';

interface Reading {
  readonly dataId: string;
  readonly value: unknown;
  readonly kind: string;
}

test('the examples of telemetry report by lines and by the socket, and take data', async ({
  ground,
  site,
}) => {
  const socket = join(ground.folder, 'lines.sock');
  const factory = join(import.meta.dirname, '../../examples/telemetry/shell.sh');
  const device = await startDevice(ground, site, 'device', {
    software: { factory },
    data: { socket, types: { level: 'uint8' } },
  });
  const { id } = await untilJoined(site, device);
  const program = runExample(ground, 'telemetry', process.execPath, ['socket.mjs'], { SRUP_SOCKET: socket });
  const reading = (dataId: string, isWanted: (row: Reading) => boolean = () => true) =>
    until(`${dataId} is at the server`, async () => {
      const rows = await site.api((api) => api.list<Reading>(`/devices/${id}/data`));
      return rows.find((row) => row.dataId === dataId && isWanted(row));
    });
  // The bytes of some doubles, such as 11.2, are text too, and read as that (P 10.6): another load follows.
  await reading('load', ({ value }) => typeof value === 'number');
  expect(await reading('uptime')).toMatchObject({ kind: 'double' });
  expect(await reading('level')).toMatchObject({ kind: 'raw', value: '07' });
  expect((await site.ctl('data', id, 'setpoint', 'warm')).code).toBe(0);
  await until('the program has it', () =>
    program.said().includes('from the server: {"id":"setpoint","text":"warm"}'),
  );
});
