/**
 * The server of bench/arrivals.ts, in a process of its own: link, intake and database. Arguments: a file with its orders.
 * It takes what waits at the broker, checks what it has stored, and prints its figures as JSON.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import {
  connectMqtt,
  importSignKey,
  Secret,
  silentLog,
  systemClock,
  systemRandom,
  type MqttLink,
} from '@srup/node';
import { mqttClientId, parseIdentity, type Identity, type SuiteName, type SignKey } from '@srup/protocol';
import { createFleet, type RunningFleet } from '../../packages/server/src/fleet.ts';
import { SILENT } from '../../packages/server/src/metrics/meter.ts';
import type { Enrolment } from '../../packages/server/src/peers/directory.ts';
import { coreMigrations } from '../../packages/server/src/store/schema/migrations.ts';
import type { CoreTables } from '../../packages/server/src/store/schema/tables.ts';
import { openStore } from '../../packages/server/src/store/open.ts';
import type { Batch, Store, Write } from '../../packages/server/src/store/port.ts';
import { unpackPlace } from '../../packages/server/test/database.ts';

export interface ServerOrders {
  /** The database, as `packPlace` writes it. */
  readonly place: string;
  readonly url: string;
  readonly server: string;
  readonly privatePems: Readonly<Record<SuiteName, string>>;
  readonly enrolments: readonly (Omit<Enrolment, 'id'> & { readonly id: string })[];
  /** Milliseconds that each transaction takes more. */
  readonly latencyMs: number;
  readonly inHand: number;
  /** Values that each device has sent in all runs, in order: 0 to `values` - 1. 0: the devices are to join. */
  readonly values: number;
  /** Messages that wait at the broker. */
  readonly waiting: number;
}

export interface ServerFigures {
  readonly perSecond: number;
  readonly cpuMicros: number;
  readonly messagesPerCommit: number;
}

const PAGE = 500;

const orders = JSON.parse(
  await readFile(parseArgs({ allowPositionals: true }).positionals[0] ?? '', 'utf8'),
) as ServerOrders;
let commits = 0;
let accepted = 0;
let last = 0;

/**
 * Each transaction takes longer, and all work in it shares that, as with a disk or a replica that is slow to confirm: the
 * first piece of work waits, while the transaction is open.
 */
function slow<Tables>(store: Store<Tables>, latencyMs: number): Store<Tables> {
  if (latencyMs === 0) return store;
  const seen = new WeakSet<object>();
  /** Pieces are written together if their batch is the same. */
  const slowed = new Map<object, Batch<Tables, never, unknown>>();
  async function pause(write: Write<Tables>): Promise<void> {
    if (seen.has(write)) return;
    seen.add(write);
    await new Promise((resolve) => setTimeout(resolve, latencyMs));
  }
  return {
    ...store,
    commit: (work, announce) =>
      store.commit(async (write) => {
        await pause(write);
        return work(write);
      }, announce),
    add: (batch, piece, announce) => {
      const known = slowed.get(batch) as typeof batch | undefined;
      const one: typeof batch =
        known ??
        (async (write, pieces) => {
          await pause(write);
          return batch(write, pieces);
        });
      slowed.set(batch, one);
      return store.add(one, piece, announce);
    },
  };
}

const store = slow(
  await openStore<CoreTables>(unpackPlace(orders.place), coreMigrations, {
    onCommitted: () => {
      commits += 1;
    },
  }),
  orders.latencyMs,
);
const id = parseIdentity(orders.server) as Identity;
const keys = Object.fromEntries(
  Object.entries(orders.privatePems).map(([suite, pem]) => [suite, importSignKey(new Secret(pem))]),
) as Record<SuiteName, SignKey>;
const link: MqttLink = connectMqtt({
  ...{ url: orders.url, insecurePlain: true, clientId: mqttClientId(id), clean: false },
  ...{ ca: '', cert: '', key: new Secret(''), inHand: orders.inHand },
});
const fleet = await createFleet({
  ...{ store, serverId: id, keys, link, clock: systemClock, random: systemRandom, log: silentLog },
  directory: {
    find: async (wanted) => {
      const found = orders.enrolments.find((one) => parseIdentity(one.id) === wanted);
      return found && { ...found, id: wanted };
    },
    revoke: async () => undefined,
  },
  meter: {
    ...SILENT,
    accepted: () => {
      accepted += 1;
      last = performance.now();
    },
  },
});

async function untilTrue(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what} (${accepted} accepted)`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Every value of every device is there once, in order, and nothing was refused. */
async function check(running: RunningFleet): Promise<void> {
  for (const { id: device } of orders.enrolments) {
    const found: unknown[] = [];
    let cursor: string | undefined;
    do {
      const page = await running.data({ device, limit: PAGE, ...(cursor !== undefined && { cursor }) });
      found.push(...page.rows.map(({ value }) => value));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    found.reverse();
    const isRight = found.length === orders.values && found.every((value, at) => value === String(at));
    if (!isRight)
      throw new Error(
        `device ${device}: lost, doubled or out of order (${found.length} of ${orders.values})`,
      );
  }
  const refused = await running.refusalCounts();
  if (Object.keys(refused).length > 0) throw new Error(`refused: ${JSON.stringify(refused)}`);
}

if (orders.values === 0) {
  await fleet.start();
  await fleet.setJoinPolicy('*', 'accept');
  console.log('ready');
  await untilTrue('all have joined', async () => {
    const { rows } = await fleet.devices({ standing: 'joined', limit: PAGE });
    return rows.length === orders.enrolments.length;
  });
  await untilTrue('all is sent', async () => {
    const row = await store.read.selectFrom('outbox').select('id').executeTakeFirst();
    return row === undefined;
  });
} else {
  let first = 0;
  let cpu = process.cpuUsage();
  let before = 0;
  const take = link.onMessage;
  link.onMessage = (arrival) => {
    if (first === 0) {
      first = performance.now();
      cpu = process.cpuUsage();
      before = commits;
    }
    return take(arrival);
  };
  await fleet.start();
  await untilTrue('all is taken', () => accepted >= orders.waiting);
  const { user, system } = process.cpuUsage(cpu);
  const figures: ServerFigures = {
    perSecond: (orders.waiting * 1000) / (last - first),
    cpuMicros: (user + system) / orders.waiting,
    messagesPerCommit: orders.waiting / (commits - before),
  };
  await check(fleet);
  console.log(JSON.stringify(figures));
}
await fleet.stop();
await link.close();
await store.close();
