import { expect } from 'vitest';
import { test } from '../../test/fixtures.ts';
import type { NewMessage } from '../store/schema/messages.ts';
import { appendMessages } from './messages.ts';

test('messages of one device are stored, and stand in the trail, in the order in which they are given', async ({
  world,
  joined,
}) => {
  const { store } = world;
  const given = (sequence: number, hasEntry: boolean, device = joined.text) => {
    const bytes = Uint8Array.of(sequence);
    const said: NewMessage = {
      ...{ at: sequence, device, direction: 'out', type: 'ACTION', token: 't', bytes },
      sequence: String(sequence),
    };
    return { ...said, hasEntry };
  };
  const last = await store.read.selectFrom('audit').select('seq').orderBy('seq', 'desc').executeTakeFirst();
  // The budget of a device can end in the middle of what is written at one go, and begin anew later.
  await store.commit((write) => appendMessages(write, [given(101, false)]));
  await store.commit((write) =>
    appendMessages(write, [given(102, false), given(103, true), given(104, false)]),
  );
  await store.commit((write) => appendMessages(write, [given(105, true)]));

  const stored = await store.read
    .selectFrom('messages')
    .select(['id', 'sequence'])
    .where('token', '=', 't')
    .orderBy('id')
    .execute();
  expect(stored.map(({ sequence }) => Number(sequence))).toEqual([101, 102, 103, 104, 105]);
  const entries = await store.read
    .selectFrom('audit')
    .select(['kind', 'body'])
    .where('seq', '>', last?.seq ?? 0)
    .where('device', '=', joined.text)
    .orderBy('seq')
    .execute();
  const [first] = stored;
  const told = entries.map(({ kind, body }) => {
    const { id, to } = JSON.parse(body) as { id?: number; to?: number };
    return [kind, (id ?? to ?? 0) - (first?.id ?? 0) + 101];
  });
  // A bundle is named by the last message in it.
  expect(told).toEqual([
    ['messages', 102],
    ['message', 103],
    ['messages', 104],
    ['message', 105],
  ]);
});
