import { join as joinPath } from 'node:path';
import { expect } from 'vitest';
import { systemRandom } from '@srup/node';
import { until } from '@srup/node/testing';
import { manualClock } from '@srup/protocol/testing';
import { directoryOf, makeDevice, makeServer } from '../test/fleet/device.ts';
import { failsOnce, outsideOfWork } from '../test/fails-once.ts';
import { START, test } from '../test/fixtures.ts';
import {
  acceptAll,
  identify,
  join,
  openWorld,
  report,
  update,
  type World,
  type WorldOptions,
} from '../test/fleet/world.ts';
import { openTokens } from './access/tokens.ts';
import { openArtifacts } from './artifacts/artifacts.ts';
import { signCheckpoint } from './audit/checkpoints.ts';
import { sealTrail } from './audit/seal.ts';
import type { CoreTables } from './store/schema/tables.ts';

const KEEP = { rows: 300, bytes: 2 ** 20, proofs: 10 };
/** With their answers, more than half of the audit entries that a device can cause in an hour. */
const REQUESTS = 170;
/** What differs between two runs of the same things: keys, tokens, numbers, and what is made of them. */
const VOLATILE =
  /^(id|device|token|sequence|bytes|hash|evidence|text|signature|sent|highest|seen|public_pem|seal_pem|order_id|orderId|.*_token)$/;
const TABLES = [
  ...(['devices', 'peers', 'exchanges', 'outbox', 'messages', 'refusals', 'refusal_counts', 'data'] as const),
  ...(['software', 'join_decisions', 'join_policies', 'artifacts', 'audit_checkpoints'] as const),
];

/** Does all kinds of things that commit, and gives the rows that they leave. */
async function play(
  folder: string,
  wrapStore?: WorldOptions['wrapStore'],
): Promise<Record<string, readonly string[]>> {
  const server = await makeServer();
  const device = await makeDevice(server);
  const { clock, random } = outsideOfWork(manualClock(START), systemRandom);
  const world = await openWorld({
    ...{ server, directory: directoryOf(device), clock, random, keep: KEEP },
    ...(wrapStore && { wrapStore }),
  });
  const { fleet, link, store } = world;
  await acceptAll(world);
  await join(world, device, `srup-agent/0.1.0 (linux x64; node 24.0.0) running ${'1'.repeat(64)}`);
  await update(world, device, { digest: '2'.repeat(64) });
  // Nothing stays open: when it was asked again would depend on the moment.
  await identify(link, device, 'srup-agent/0.1.0 test');
  await report(world, device, 7, 'level');
  await link.deliver('SRUP/none', new Uint8Array([1]));
  await fleet.rename(device.text, 'pump');
  for (let count = 0; count < REQUESTS; count++) {
    await device.say(link, 'JOIN_REQ', {});
    // It is stored by then: what is trimmed with a later request depends on it.
    await device.next(link, 'RESPONSE');
  }
  const owed = store.read.selectFrom('outbox').select('id');
  await until('an empty outbox', async () => (await owed.execute()).length === 0);
  await playTheRest(world, folder);
  const rows = await rowsOf(world);
  await world.close();
  return rows;
}

/** What happens beside the devices. */
async function playTheRest({ store, server }: World, folder: string): Promise<void> {
  const { clock } = outsideOfWork(manualClock(START), systemRandom);
  const artifacts = await openArtifacts(
    { folder: joinPath(folder, server.id.toString(16)) },
    { store, clock },
  );
  const content = async function* () {
    yield new Uint8Array([1, 2, 3]);
  };
  const { digest } = await artifacts.add({ content: content(), name: 'kept' });
  expect(await artifacts.remove(digest)).toBe(true);
  await artifacts.add({ content: content(), name: 'again' });
  const tokens = openTokens(store, clock);
  const { token } = await tokens.create('night shift', 'operator');
  expect(await tokens.remove(token.id)).toBe(true);
  const keys = { after: async () => [], drop: async () => undefined };
  await sealTrail(store, keys, clock.now());
  await signCheckpoint(store, { server: 'b9d0', key: server.keys.ed25519 }, clock.now());
}

async function rowsOf({ store }: World): Promise<Record<string, readonly string[]>> {
  const kinds = await store.read.selectFrom('audit').select('kind').execute();
  const rows: Record<string, readonly string[]> = { audit: kinds.map(({ kind }) => kind).sort() };
  for (const table of TABLES) {
    const found = await store.read
      .selectFrom(table as keyof CoreTables)
      .selectAll()
      .execute();
    rows[table] = found.map((row) => JSON.stringify(row, stable)).sort();
  }
  return rows;
}

/** For JSON: leaves out what is volatile, also in the state of exchanges. */
function stable(name: string, value: unknown): unknown {
  if (VOLATILE.test(name)) return undefined;
  return name === 'state' ? (JSON.parse(String(value)) as unknown) : value;
}

test('a server whose transactions all fail once leaves the same rows, and charges no device twice', async ({
  folder,
}) => {
  const once = await play(folder);
  const twice = await play(folder, failsOnce);
  expect(twice).toEqual(once);
  const own = once['audit']?.filter((kind) => kind === 'message').length;
  expect(own).toBeGreaterThan(300);
});
