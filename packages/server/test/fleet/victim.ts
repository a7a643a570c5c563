/**
 * A server in a process of its own that dies, as by kill -9, at the instant that it is told to. It prints one line
 * for each message that it acknowledged and each command that it took; what it published is in a file, as if a
 * broker had it.
 */
import { appendFileSync, readFileSync, writeSync } from 'node:fs';
import { importSignKey, Secret, silentLog, systemClock, systemRandom } from '@srup/node';
import { fakeLink } from '@srup/node/testing';
import { fromHex, parseIdentity, toHex, type Identity, type SignKey, type SuiteName } from '@srup/protocol';
import type { Enrolment } from '../../src/peers/directory.ts';
import { createFleet } from '../../src/fleet.ts';
import { coreMigrations } from '../../src/store/schema/migrations.ts';
import type { CoreTables } from '../../src/store/schema/tables.ts';
import { openStore, unpackPlace } from '../database.ts';

/** `sign`: committed, unsigned. `publish`: signed, not left. `published`: left, not acknowledged. */
export type Instant = 'sign' | 'publish' | 'published' | 'commit' | 'never';

export interface VictimOrders {
  /** Its database, as `packPlace` says. */
  readonly place: string;
  readonly broker: string;
  readonly server: string;
  readonly privatePems: Readonly<Record<SuiteName, string>>;
  readonly enrolments: readonly (Omit<Enrolment, 'id'> & { readonly id: string })[];
  /** Dies at the n-th time that it gets there. */
  readonly die: { readonly at: Instant; readonly time: number };
  readonly deliver: readonly { readonly topic: string; readonly hex: string }[];
  /** Devices that are commanded without end, each with actions. */
  readonly command: readonly string[];
}

const orders = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as VictimOrders;
let left = orders.die.time;

function reach(instant: Instant): void {
  if (orders.die.at === instant && --left === 0) process.kill(process.pid, 'SIGKILL');
}

function tell(line: string): void {
  writeSync(1, `${line}\n`);
}

const keys = Object.fromEntries(
  Object.entries(orders.privatePems).map(([suite, pem]) => {
    const key = importSignKey(new Secret(pem));
    const signAside = (data: Uint8Array) => {
      reach('sign');
      return key.signAside(data);
    };
    return [suite, { ...key, signAside }];
  }),
) as Record<SuiteName, SignKey>;

const link = fakeLink();
link.onPublish = () => {
  reach('publish');
};
link.beforePuback = (topic, bytes) => {
  appendFileSync(orders.broker, `${topic} ${toHex(bytes)}\n`);
  reach('published');
};

const fleet = await createFleet({
  store: await openStore<CoreTables>(unpackPlace(orders.place), coreMigrations),
  serverId: parseIdentity(orders.server) as Identity,
  keys,
  directory: {
    find: async (id) => {
      const found = orders.enrolments.find((enrolment) => parseIdentity(enrolment.id) === id);
      return found && { ...found, id };
    },
    revoke: async () => undefined,
  },
  link,
  clock: systemClock,
  random: systemRandom,
  log: {
    ...silentLog,
    error: (_, text) => {
      tell(`error ${text}`);
    },
  },
});
await fleet.start();
link.connect();

for (const { topic, hex } of orders.deliver) {
  await link.deliver(topic, fromHex(hex) as Uint8Array);
  reach('commit');
  tell('acknowledged');
}
while (orders.command.length > 0) {
  const receipts = await fleet.command(orders.command, { kind: 'action', actionId: 4 });
  for (const receipt of receipts) if (receipt.ok) tell(`command ${receipt.token}`);
}
