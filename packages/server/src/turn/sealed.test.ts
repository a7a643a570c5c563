import { readdir, readFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { expect } from 'vitest';
import { importOpenKey, newToken, realDelay, systemClock, systemRandom } from '@srup/node';
import { encodeHeader, tokenOfKey, type Draft, type MessageOf, type SuiteName } from '@srup/protocol';
import { everythingIn } from '../../test/database.ts';
import { test } from '../../test/fixtures.ts';
import { directoryOf, makeDevice } from '../../test/fleet/device.ts';
import { acceptAll, join, type World } from '../../test/fleet/world.ts';
import { createEntryBudget } from '../evidence/budget.ts';
import { KEPT_PER_DEVICE } from '../evidence/trim.ts';
import { SILENT } from '../metrics/meter.ts';
import { createSigner, type Signer } from '../outbox/sign.ts';
import { createRecords } from '../peers/records.ts';
import { addDraft, beginChange } from './change.ts';
import { createSave } from './save.ts';

const NONCE = Uint8Array.from({ length: 16 }, (_, index) => 0xc0 + index);
const FORMS = [
  Buffer.from(NONCE).toString('latin1'),
  Buffer.from(NONCE).toString('hex'),
  Buffer.from(NONCE).toString('hex').toUpperCase(),
  Buffer.from(NONCE).toString('base64'),
];

/** Files of the server's folder, and `the database`, that hold the nonce, in whatever form. */
async function placesWithNonce({ folder, place }: World): Promise<string[]> {
  const holdsIt = (text: string): boolean => FORMS.some((form) => text.includes(form));
  const found = holdsIt(await everythingIn(place)) ? ['the database'] : [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const text = await readFile(joinPath(entry.parentPath, entry.name), 'latin1');
    if (holdsIt(text)) found.push(entry.name);
  }
  return found;
}

/** Answers as a human-moderated join does (P 9.2), in the way of every turn: a draft, a change, a commit. */
async function answerWithNonce(
  { store, log }: World,
  id: string,
  token: Uint8Array,
  signer: Signer,
): Promise<void> {
  const records = createRecords(store.read);
  const save = createSave(
    {
      ...{ store, records, signer, clock: systemClock, meter: SILENT, log },
      sender: { wake: () => undefined },
      timer: { nudge: () => undefined },
      deservesEntry: createEntryBudget(systemClock),
    },
    { keep: KEPT_PER_DEVICE },
  );
  const change = beginChange((await records.find(id))!, systemClock.now());
  const draft: Draft = { type: 'HM_JOIN_RESP', token, body: { sealedNonce: NONCE } };
  addDraft(change, draft);
  await save(change);
}

const signerOf = ({ server: { id, keys } }: World): Signer =>
  createSigner({ serverId: id, keys, delay: realDelay });

test.for<SuiteName>(['rsa-sha256', 'ed25519', 'ml-dsa-65'])(
  'a nonce for a device with %s reaches the device, and never lies on the disk in clear',
  async (suite, { server, openWorld }) => {
    const device = await makeDevice(server, suite);
    const world = await openWorld({ directory: directoryOf(device) });
    await acceptAll(world);
    await join(world, device);
    const token = newToken(systemClock, systemRandom);
    await device.say(world.link, 'HM_JOIN_REQ', {}, token);
    await answerWithNonce(world, device.text, tokenOfKey(token), signerOf(world));
    expect(await placesWithNonce(world)).toEqual([]);
    const unsigned = world.store.read.selectFrom('outbox').select('id').where('is_signed', '=', 0);
    expect(await unsigned.execute()).toEqual([]);

    await world.restart(); // the outbox is all that is left of it
    const answer = (await device.next(world.link, 'HM_JOIN_RESP')) as MessageOf<'HM_JOIN_RESP'>;
    const opened = await importOpenKey(device.keys).open(answer.body.sealedNonce, {
      recipient: device.id,
      header: encodeHeader(answer),
    });
    expect(opened).toEqual(NONCE);
    expect(await placesWithNonce(world)).toEqual([]);
  },
);

test('a nonce that can not be sealed is not stored at all, and neither is its turn', async ({
  world,
  joined: device,
}) => {
  const before = await world.store.read.selectFrom('peers').selectAll().execute();
  const broken: Signer = { sign: () => Promise.reject(new Error('no key')) };
  const token = tokenOfKey(newToken(systemClock, systemRandom));
  await expect(answerWithNonce(world, device.text, token, broken)).rejects.toThrow('no key');
  expect(await placesWithNonce(world)).toEqual([]);
  expect(await world.store.read.selectFrom('peers').selectAll().execute()).toEqual(before);
});
