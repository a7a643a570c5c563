import { importVerifyKey } from '@srup/node';
import {
  counterStart,
  EMPTY_WINDOW,
  identityText,
  parseIdentity,
  type Identity,
  type Random,
  type ReplayWindow,
  type VerifyKey,
} from '@srup/protocol';
import type { Enrolment } from './directory.ts';
import type { Read } from '../store/port.ts';
import type { DeviceRow, PeerRow } from '../store/schema/devices.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Devices that are held in memory with their parsed keys. The others are read from the store when they speak. */
const RECORDS_KEPT = 20_000;

/** What is committed about a device, ready to judge its next message. It is a value: a change makes a new one. */
export interface DeviceRecord {
  readonly id: Identity;
  readonly row: DeviceRow;
  readonly key: VerifyKey;
  /** The last number that was sent to it (P 5.1). */
  readonly sent: bigint;
  readonly window: ReplayWindow;
  /** When its last authentic message came, ms since 1970. */
  readonly provenAt: number | null;
}

export interface Records {
  /** Finds a device and keeps it in memory. Only in its lane: elsewhere it could bring an old window back. */
  find(device: string): Promise<DeviceRecord | undefined>;
  /** Tells whether anything is stored of a device. It can be called from anywhere: it reads no record, and parses no key. */
  isStored(device: string): Promise<boolean>;
  /** Keeps a record in memory. Call it after its commit. */
  keep(record: DeviceRecord): void;
  /** Drops a device from memory. Call it after a commit that failed: the store knows better. */
  forget(device: string): void;
}

/**
 * Makes the records of devices.
 *
 * @example
 * const record = await createRecords(store.read).find('27ab54d670b64be2');
 */
export function createRecords(store: Read<CoreTables>): Records {
  const kept = new Map<string, DeviceRecord>();

  async function read(device: string): Promise<DeviceRecord | undefined> {
    const row = await store
      .selectFrom('devices')
      .innerJoin('peers', 'peers.device', 'devices.id')
      .selectAll()
      .where('devices.id', '=', device)
      .executeTakeFirst();
    return row && readRecord(row);
  }

  function keep(record: DeviceRecord): void {
    kept.delete(record.row.id); // to the end: the last used is dropped last
    kept.set(record.row.id, record);
    if (kept.size > RECORDS_KEPT) kept.delete(kept.keys().next().value as string);
  }

  return {
    isStored: async (device) => {
      if (kept.has(device)) return true;
      const row = await store
        .selectFrom('peers')
        .select('device')
        .where('device', '=', device)
        .executeTakeFirst();
      return row !== undefined;
    },
    keep,
    find: async (device) => {
      const record = kept.get(device) ?? (await read(device));
      if (record !== undefined) keep(record);
      return record;
    },
    forget: (device) => {
      kept.delete(device);
    },
  };
}

function readRecord(row: DeviceRow & PeerRow): DeviceRecord {
  const { device, sent, highest, seen, proven_at: provenAt, ...rest } = row;
  return {
    id: parseIdentity(device) as Identity,
    row: rest,
    key: importVerifyKey(row.public_pem),
    sent: BigInt(sent),
    window: { highest: BigInt(highest), seen: BigInt(seen) },
    provenAt,
  };
}

/** What is shown of a device that has proven nothing yet. */
export const NOTHING_PROVEN = {
  name: null,
  standing: 'unknown',
  confirms: 0,
  identification: null,
  running_digest: null,
  running_at: null,
  running_token: null,
  running_ordered_at: null,
  staged_digest: null,
  staged_at: null,
  staged_token: null,
} as const;

/**
 * Makes the record of a device that has proven nothing yet. It is stored with its first authentic message (P 4.6).
 *
 * @example
 * newRecord(enrolment, clock.now(), random).row.standing; // 'unknown'
 */
export function newRecord(enrolment: Enrolment, now: number, random: Pick<Random, 'bytes'>): DeviceRecord {
  const key = importVerifyKey(enrolment.publicPem);
  return {
    id: enrolment.id,
    key,
    sent: counterStart(random.bytes(8)),
    window: EMPTY_WINDOW,
    provenAt: null,
    row: {
      ...NOTHING_PROVEN,
      id: identityText(enrolment.id),
      type: enrolment.type,
      suite: key.suite,
      public_pem: enrolment.publicPem,
      seal_pem: enrolment.sealPem ?? null,
      first_seen_at: now,
    },
  };
}
