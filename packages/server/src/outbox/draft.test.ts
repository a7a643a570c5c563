import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { newToken, systemClock, systemRandom } from '@srup/node';
import { encode, LAYOUTS, tokenOfKey, type Draft, type Message } from '@srup/protocol';
import { messagesOf } from '../../../protocol/test/arbitrary.ts';
import { behind } from '../../test/database.ts';
import { test } from '../../test/fixtures.ts';
import { isSealing, readDraft, writeDraft } from './draft.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables } from '../store/schema/tables.ts';

const DEVICE = {
  ...{ id: 'a1', type: 'pump', suite: 'ed25519', public_pem: 'pem', standing: 'joined', confirms: 1 },
  first_seen_at: 1,
};
const token = tokenOfKey(newToken(systemClock, systemRandom));
const drafts: readonly Draft[] = [
  { type: 'INITIATE', token, body: { url: 'https://h/1', digest: 'ab'.repeat(32) } },
  { type: 'ACTION', token, body: { actionId: 4 } },
  { type: 'DATA', token, body: { dataId: 'level', data: Uint8Array.of(0, 255, 7) } },
  { type: 'JOIN_CMD', token, body: { deviceId: 0x27ab_54d6_70b6_4be2n } },
  { type: 'TERMINATE_CMD', token, body: {} },
];

const draftOf = ({ type, token: key, body }: Message) => ({ type, token: key, body }) as unknown as Draft;

describe('a draft of', () => {
  test.for(LAYOUTS.filter((layout) => !isSealing(layout)))('$type is read as it was written', (layout) => {
    fc.assert(
      fc.property(messagesOf(layout), (message) => {
        const draft = draftOf(message);
        expect(readDraft(writeDraft(draft))).toEqual(draft);
      }),
    );
  });

  test.for(LAYOUTS.filter(isSealing))('$type is never written: it seals', (layout) => {
    fc.assert(
      fc.property(messagesOf(layout), (message) => {
        expect(() => writeDraft(draftOf(message))).toThrow('sealed before it is stored');
      }),
    );
  });
});

test('what an older version left unsigned in the outbox becomes drafts, and the end that it owed an errand', async ({
  folder,
}) => {
  const file = join(folder, 'server.db');
  const {
    'fleet-errands-001': _,
    'fleet-orders-001': _orders,
    'fleet-outbox-001': _drafts,
    ...older
  } = coreMigrations;
  const before = await openSqlite<CoreTables>(file, older);
  const old = behind(before);
  await old
    .insertInto('devices')
    .values({ ...DEVICE, revoke_at: 77 } as never)
    .execute();
  for (const [index, draft] of drafts.entries()) {
    const unsigned = encode({ ...draft, sequence: BigInt(index + 1), sender: 0xb9d0n });
    await old
      .insertInto('outbox')
      .values({
        ...{ device: 'a1', sequence: String(index + 1), is_signed: 0, created_at: 1 },
        message: unsigned.assemble(new Uint8Array(0)),
      })
      .execute();
  }
  await before.close();
  const after = await openSqlite<CoreTables>(file, coreMigrations);
  const rows = await after.read.selectFrom('outbox').select('message').orderBy('id').execute();
  expect(rows.map(({ message }) => readDraft(message))).toEqual(drafts);
  expect(await after.read.selectFrom('errands').selectAll().execute()).toMatchObject([
    { owner: 'device/a1', kind: 'end-identity', body: '{}', after: 77 },
  ]);
  await after.close();
});
