/** Starts and stops the simulated devices together. */
import type { Fault } from './choose.ts';
import { startDevice, type SimulatedDevice } from './device/device.ts';
import { enrol, makeKeys, type NewKeys } from './device/enrol.ts';
import type { KnownDevice } from './keep.ts';
import type { Site } from './site.ts';

/** Key pairs that are made at the same time: more than there are processors would only wait. */
const KEYS_AT_ONCE = 4;
/** Devices that register or connect at the same time. */
const COME_UP_AT_ONCE = 24;
/** Longest wait for the answer to a join before the next device starts; a longer one is up to an operator. Milliseconds. */
const JOIN_GRACE_MS = 5_000;
const LEAVE_AT_ONCE = 64;
/** Longest wait for the server to confirm that a device left. Milliseconds. */
const LEAVE_MS = 30_000;

export interface FleetCounts {
  readonly devices: number;
  /** Devices with keys made now, or with an identity of an earlier run. */
  readonly ready: number;
  readonly enrolled: number;
  readonly connected: number;
  readonly joined: number;
  /** Devices that are connected and wait for an answer to their join. */
  readonly waiting: number;
  /** Devices that were refused or dropped. */
  readonly out: number;
  readonly updated: number;
}

export interface SimulatedFleet {
  counts(): FleetCounts;
  /** Resolves when every device has connected once. Rejects with `AgentError` for what a person has to solve. */
  readonly up: Promise<void>;
  /** Whether all devices have joined, except those that were refused. */
  isJoined(): boolean;
  /** Whether all devices that can update have finished an update in this run. */
  isUpdated(): boolean;
  /** Deregisters all; returns how many the server did not confirm. */
  leave(): Promise<number>;
  close(): Promise<void>;
}

export function startFleet(site: Site, faults: readonly ReadonlySet<Fault>[]): SimulatedFleet {
  const devices = new Map<number, SimulatedDevice>();
  const numbers = faults.map((_, number) => number);
  let ready = 0;
  let enrolled = 0;
  let isClosing = false;

  async function bringUp(): Promise<void> {
    const fresh = new Map<number, NewKeys>();
    const known = new Map<number, KnownDevice>();
    for (const number of numbers) {
      const found = site.keep.find(number);
      if (found !== undefined) known.set(number, found);
    }
    ready = enrolled = known.size;
    // Keys come first: making them would slow down what is measured.
    await eachOf(
      numbers.filter((number) => !known.has(number)),
      KEYS_AT_ONCE,
      async (number) => {
        site.signal.throwIfAborted();
        fresh.set(number, await makeKeys(site));
        ready += 1;
      },
    );
    await eachOf(numbers, COME_UP_AT_ONCE, async (number) => {
      site.signal.throwIfAborted();
      const device = start(number, known.get(number) ?? (await enrolOne(number, fresh)));
      await device.connected;
      await soon(device.answered, JOIN_GRACE_MS);
    });
  }

  async function enrolOne(number: number, fresh: Map<number, NewKeys>): Promise<KnownDevice> {
    const credentials = await enrol(site, fresh.get(number) as NewKeys);
    fresh.delete(number);
    const admitted = await site.keep.admit(number, credentials);
    enrolled += 1;
    return admitted;
  }

  function start(number: number, known: KnownDevice): SimulatedDevice {
    const device = startDevice(site, number, known, faults[number] ?? new Set());
    devices.set(number, device);
    if (isClosing) void device.close();
    return device;
  }

  const all = (holds: (device: SimulatedDevice) => boolean) =>
    devices.size === numbers.length && [...devices.values()].every(holds);
  const many = (holds: (device: SimulatedDevice) => boolean) => [...devices.values()].filter(holds).length;
  const staysAway = ({ faults: own }: SimulatedDevice) =>
    own.has('offline') && site.returnAfterMs === undefined;

  const stopped = new Promise<void>((resolve) => {
    site.signal.addEventListener('abort', () => {
      resolve();
    });
  });
  return {
    counts: () => ({
      devices: numbers.length,
      ready,
      enrolled,
      connected: many((device) => device.isConnected()),
      joined: many((device) => device.standing() === 'joined'),
      waiting: many((device) => device.isConnected() && device.standing() === 'asking'),
      out: many((device) => device.standing() === 'out' || device.standing() === 'left'),
      updated: many((device) => device.updatesOver() > 0),
    }),
    up: Promise.race([bringUp(), stopped]).catch((error: unknown) => {
      if (!site.signal.aborted) throw error;
    }),
    isJoined: () => all((device) => device.standing() === 'joined'),
    isUpdated: () => all((device) => (device.updatesOver() > 0 && device.isQuiet()) || staysAway(device)),
    leave: async () => {
      let unconfirmed = 0;
      await eachOf([...devices.values()], LEAVE_AT_ONCE, async (device) => {
        if (!(await device.leave(LEAVE_MS))) unconfirmed += 1;
        await device.close();
      });
      return unconfirmed;
    },
    close: async () => {
      isClosing = true;
      await eachOf([...devices.values()], LEAVE_AT_ONCE, (device) => device.close());
    },
  };
}

async function eachOf<Item>(
  items: readonly Item[],
  atOnce: number,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (const item of rest) await act(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function soon(promise: Promise<unknown>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void promise.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
