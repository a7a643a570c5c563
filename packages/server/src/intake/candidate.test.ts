import { expect } from 'vitest';
import { STATUS } from '@srup/protocol';
import { behind } from '../../test/database.ts';
import { test } from '../../test/fixtures.ts';
import { makeDevice, type TestDevice } from '../../test/fleet/device.ts';

const bytesOf = async (sender: TestDevice) =>
  (await sender.write('RESPONSE', { status: STATUS.ACTION_SUCCESS })).bytes;

test("a message on a sibling's topic is refused without the key of its sender", async ({
  world,
  server,
  joined,
  alsoJoined: sibling,
}) => {
  const stranger = await makeDevice(server);
  await world.restart();
  // A key that can't be parsed would stop whoever reads it.
  await behind(world.store)
    .updateTable('devices')
    .set({ public_pem: 'no key' })
    .where('id', '=', joined.text)
    .execute();
  await world.link.deliver(sibling.topic, await bytesOf(joined));
  await world.link.deliver(sibling.topic, await bytesOf(stranger));
  const { rows } = await world.fleet.refusals({});
  expect(rows.map(({ code, claimedSender }) => [code, claimedSender])).toEqual([
    ['AUTH_SENDER', stranger.text],
    ['AUTH_TOPIC', joined.text],
  ]);
});
