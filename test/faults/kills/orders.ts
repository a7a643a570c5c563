/** Orders as an operator does, and reads what the server then shows. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { DeviceView, ExchangeView } from '@srup/server';
import type { SeededRandom } from '@srup/protocol/testing';
import { until } from '../../support/wait.ts';
import type { Finding } from './audit.ts';
import type { VictimDevice } from './fleet.ts';
import { KNOWN_ACTIONS, UNKNOWN_ACTION } from './points.ts';
import type { Version } from './programs.ts';
import type { VictimSite } from './site.ts';

export interface Orders {
  untilJoined(device: VictimDevice): Promise<void>;
  /** An update, one or two actions, and data; the server may die meanwhile. */
  give(device: VictimDevice, version: Version, random: SeededRandom): Promise<void>;
  /** Resolves when the server no longer waits for this device. */
  settled(device: VictimDevice, withinMs: number): Promise<void>;
  /** Whether the server shows what really runs. */
  compare(device: VictimDevice): Promise<Finding[]>;
  /** What the device did not do; undefined if it obeys. */
  prove(device: VictimDevice, version: Version, withinMs: number): Promise<string | undefined>;
  /** Tokens that the server gave a receipt for. */
  promised(device: VictimDevice): ReadonlySet<string>;
  areOpen(): boolean;
}

interface Receipt {
  readonly ok: boolean;
  readonly token?: string;
}

/** Well below the server's limit of requests a minute. */
const LOOK_MS = 150;
const JOIN_MS = 180_000;
/** How long it can take until software in trial shows, as the agent starts it. */
const APPEAR_MS = 60_000;
/** The share of updates that are staged first and activated by a second command. */
const SHARE_STAGED = 0.3;

export async function openOrders(site: VictimSite, versions: readonly Version[]): Promise<Orders> {
  const { api } = site;
  for (const { path, digest } of versions)
    await api.put(`/artifacts?name=version&digest=${digest}`, await readFile(path));
  const promises = new Map<string, Set<string>>();
  const look = createLook(() => api.rows<ExchangeView>('/exchanges?open=true'));

  async function order(device: VictimDevice, command: object): Promise<string | undefined> {
    const receipts = await api.post<Receipt[]>('/commands', { devices: [device.id], command });
    const token = receipts?.[0]?.ok === true ? receipts[0].token : undefined;
    if (token === undefined) return undefined;
    const own = promises.get(device.id) ?? new Set();
    promises.set(device.id, own.add(token));
    return token;
  }

  async function stageAndActivate(device: VictimDevice, digest: string): Promise<void> {
    const token = await order(device, { kind: 'update', digest, activate: false });
    if (token === undefined) return;
    const path = `/devices/${device.id}/exchanges/${token}`;
    for (;;) {
      const { exchange, isFinal } = await api.get<ExchangeView>(path);
      if (isFinal || exchange.phase === 'activating') return;
      if (exchange.phase === 'staged') await api.post(`${path}/activate`);
      else await pause(LOOK_MS);
    }
  }

  async function settled(device: VictimDevice, withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const open = (await look.now()).filter((one) => one.device === device.id);
      // Staged by an order whose answer got lost with the server: nobody else will activate it.
      for (const { exchange } of open) {
        if (exchange.phase === 'staged')
          await api.post(`/devices/${device.id}/exchanges/${exchange.token}/activate`).catch(() => undefined);
      }
      if (open.length === 0) return;
      if (performance.now() > deadline) throw new Error(`still open: ${JSON.stringify(open)}`);
      await pause(LOOK_MS);
    }
  }

  async function compare(device: VictimDevice): Promise<Finding[]> {
    const shown = await api.get<DeviceView>(`/devices/${device.id}`);
    let really: string[] = [];
    const isSame = async () => {
      really = await device.reallyRunning();
      const wanted = shown.running?.digest ?? really[0];
      return really.length === 1 && really[0] === wanted;
    };
    const found = await until('the program runs', isSame, APPEAR_MS).catch(() => false);
    if (found) return [];
    const kind = really.length > 1 ? 'doubled' : 'unknown';
    const what = `the server shows ${shown.running?.digest ?? 'nothing'}, but there runs: ${really.join() || 'nothing'}`;
    return [{ kind, device: device.id, what: `${what}\n${device.said()}` }];
  }

  return {
    settled,
    compare,
    promised: ({ id }) => promises.get(id) ?? new Set(),
    areOpen: () => look.last > 0,
    untilJoined: async ({ id, name }) => {
      await until(
        `${name} has joined`,
        async () => {
          const all = await api.rows<DeviceView>('/devices');
          const found = all.find((one) => one.id === id);
          return found?.standing === 'joined' && found.confirms;
        },
        JOIN_MS,
      );
    },
    give: async (device, { digest }, random) => {
      const isStaged = random.chance(SHARE_STAGED);
      const actions = [
        random.pick(KNOWN_ACTIONS),
        random.chance(0.1) ? UNKNOWN_ACTION : random.pick(KNOWN_ACTIONS),
      ];
      const value = { type: 'text', text: String(random.below(1_000)) };
      const update = isStaged ? stageAndActivate(device, digest) : order(device, { kind: 'update', digest });
      const others = [
        ...actions.map((actionId) => order(device, { kind: 'action', actionId })),
        order(device, { kind: 'data', dataId: 'setting', value }),
      ];
      await Promise.all([update, ...others]);
    },
    prove: async (device, { digest }, withinMs) => {
      const start = await device.status();
      if (start?.phase !== 'joined') return `it is ${start?.phase ?? 'not there'}: ${device.said()}`;
      const tokens = [
        await order(device, { kind: 'action', actionId: KNOWN_ACTIONS[0] }),
        await order(device, { kind: 'update', digest }),
      ];
      await settled(device, withinMs);
      for (const [n, token] of tokens.entries()) {
        const { exchange } = await api.get<ExchangeView>(`/devices/${device.id}/exchanges/${token}`);
        const wanted = n === 0 ? 'done' : 'active';
        if (exchange.phase !== wanted) return `${exchange.kind} ended as ${exchange.phase}: ${device.said()}`;
      }
      const wrong = await compare(device);
      return wrong[0]?.what;
    },
  };
}

interface Look {
  /** Callers at the same time share one query; none gets one that began before it asked. */
  now(): Promise<ExchangeView[]>;
  /** Rows of the last one. */
  readonly last: number;
}

function createLook(read: () => Promise<ExchangeView[]>): Look {
  let next: Promise<ExchangeView[]> | undefined;
  let last = 0;
  async function begin(): Promise<ExchangeView[]> {
    await pause(LOOK_MS);
    next = undefined;
    const rows = await read();
    last = rows.length;
    return rows;
  }
  return {
    now: () => (next ??= begin()),
    get last() {
      return last;
    },
  };
}
