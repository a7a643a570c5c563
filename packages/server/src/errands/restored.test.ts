import { expect } from 'vitest';
import { systemRandom } from '@srup/node';
import { until } from '@srup/node/testing';
import { encodeText } from '@srup/protocol';
import { test } from '../../test/fixtures.ts';
import { tokenOf } from '../../test/fleet/device.ts';
import { report } from '../../test/fleet/world.ts';
import { jumpAfter, moveCounters } from '../backup/ahead.ts';
import { noteRestore } from '../backup/note.ts';

test('after a restore every device is asked, and what it said since the backup can not be repeated by others', async ({
  world,
  joined: device,
}) => {
  const [backup] = await world.store.read.selectFrom('peers').select(['sent', 'highest', 'seen']).execute();
  const said = await report(world, device, 7, 'level');
  await world.fleet.command([device.text], { kind: 'action', actionId: 0x40 });
  const forgotten = await device.next(world.link, 'ACTION');

  await world.store.commit(async (write) => {
    await write.updateTable('peers').set(backup!).execute();
    for (const table of ['data', 'exchanges', 'outbox'] as const) await write.deleteFrom(table).execute();
    await moveCounters(write, jumpAfter(0, systemRandom));
    await noteRestore(write, { at: 2, backupOf: 1 });
  });
  await world.restart();

  const question = await device.next(world.link, 'ID_REQUEST'); // which it would refuse with a number of before
  expect(question.sequence - forgotten.sequence).toBeGreaterThanOrEqual(2n ** 26n - 2n);
  expect(world.log.lines.join()).toMatch(/warn this server was restored from a backup/);
  const answer = { dataId: 'IDENTIFICATION_RESPONSE', data: encodeText('srup-agent/0.1.0 test') };
  await device.say(world.link, 'DATA', answer, tokenOf(question));

  await world.link.deliver(said.topic, said.bytes);
  expect(await world.fleet.refusalCounts()).toMatchObject({ REPLAY_OLD: 1 });
  expect((await world.fleet.data({ device: device.text })).rows).toEqual([]);

  const noted = world.store.read.selectFrom('settings').select('name').where('name', '=', 'restored');
  await until('the note to be taken away', async () => (await noted.execute()).length === 0);
  const before = (await world.fleet.exchanges({ kind: 'identify' })).rows.length;
  await world.restart();
  expect((await world.fleet.exchanges({ kind: 'identify' })).rows).toHaveLength(before);
});
