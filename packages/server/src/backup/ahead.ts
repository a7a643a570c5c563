/**
 * Moves out of reach what must not go back in time when a server does (P 5.1, 8.4): the backup does not know which
 * numbers and codes were used after it.
 */
import { counterStart, MAX_SEQUENCE_JUMP, MAX_U64, type Random } from '@srup/protocol';
import { C2_TYPE } from '../keyservice/requests.ts';
import type { KeyServiceTables } from '../keyservice/tables.ts';
import { NOTHING_PROVEN } from '../peers/records.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import type { Read, Write } from '../store/port.ts';

/** Messages to one device that a server can have sent in a burst since the backup. */
const BURST = 2n ** 26n;
/** Messages a second that it can have sent to one device all the time: ten years of them stay below 2^32. */
const A_SECOND = 10n;
/** A device accepts a jump of 2^32 (P 5.2) above what it has seen. The rest is for what it has not seen yet. */
const LONGEST_JUMP = MAX_SEQUENCE_JUMP - 2n ** 28n;
/** No server begins to count that high by itself: see `counterStart`. */
const UNUSED_FROM = 2n ** 62n;

/**
 * Computes how far every counter moves. It grows with the age of the backup, so that a second restore of the same backup
 * is beyond what was sent after the first. The random part keeps them apart if a clock was wrong.
 * @param ageMs age of the backup, in milliseconds
 */
export function jumpAfter(ageMs: number, random: Pick<Random, 'bytes'>): bigint {
  const apart = counterStart(random.bytes(8)) % BURST;
  const jump = BURST + (A_SECOND * BigInt(Math.max(0, Math.trunc(ageMs)))) / 1000n + apart;
  return jump < LONGEST_JUMP ? jump : LONGEST_JUMP;
}

/** Moves all counters of the core, and returns how many. */
export async function moveCounters(write: Write<CoreTables>, jump: bigint): Promise<number> {
  const rows = await write.selectFrom('peers').select(['device', 'sent', 'highest']).execute();
  for (const { device, sent, highest } of rows) {
    const last = BigInt(sent) > BigInt(highest) ? BigInt(sent) : BigInt(highest);
    const moved = last + jump;
    await write
      .updateTable('peers')
      .set({ sent: (moved < MAX_U64 ? moved : MAX_U64).toString() })
      .where('device', '=', device)
      .execute();
  }
  return rows.length;
}

/** An identity that the key service vouches for, as the core needs it. */
export type CertifiedDevice = Pick<
  KeyServiceTables['identities'],
  'id' | 'type' | 'suite' | 'public_pem' | 'seal_pem' | 'registered_at'
>;

/** All devices that the key service has certified. */
export function certifiedDevices(read: Read<KeyServiceTables>): Promise<CertifiedDevice[]> {
  return read
    .selectFrom('identities')
    .select(['id', 'type', 'suite', 'public_pem', 'seal_pem', 'registered_at'])
    .where('state', '=', 'certified')
    .where('type', '<>', C2_TYPE)
    .execute();
}

/**
 * Adds the devices that the core has not heard of: they may have joined after the backup. Their counters begin where no
 * server has counted. The answer to a join can be that far ahead (P 5.2).
 * @param starts 8 random bytes for each of `certified`
 */
export async function reserveCounters(
  write: Write<CoreTables>,
  certified: readonly CertifiedDevice[],
  starts: readonly Uint8Array[],
): Promise<void> {
  for (const [index, { registered_at: registeredAt, ...device }] of certified.entries()) {
    const known = await write
      .selectFrom('devices')
      .select('id')
      .where('id', '=', device.id)
      .executeTakeFirst();
    if (known !== undefined) continue;
    await write
      .insertInto('devices')
      .values({ ...device, ...NOTHING_PROVEN, first_seen_at: registeredAt })
      .execute();
    const sent = (UNUSED_FROM + counterStart(starts[index] as Uint8Array)).toString();
    await write
      .insertInto('peers')
      .values({ device: device.id, sent, highest: '0', seen: '1', proven_at: null })
      .execute();
  }
}

/** Drops all enrolment codes: one that was used up since would let another device in (P 8.4). Returns how many. */
export async function dropCodes(write: Write<KeyServiceTables>): Promise<number> {
  return Number((await write.deleteFrom('enrolment_codes').executeTakeFirst()).numDeletedRows);
}

/** Drops what is owed to devices that were revoked: they get nothing more. */
export async function dropOwed(write: Write<CoreTables>, devices: readonly string[]): Promise<void> {
  for (const device of devices) await write.deleteFrom('outbox').where('device', '=', device).execute();
}

/** Drops all API tokens: nobody logs in with one that was revoked since, or stolen with the old machine. */
export async function dropApiTokens(write: Write<CoreTables>): Promise<number> {
  return Number((await write.deleteFrom('api_tokens').executeTakeFirst()).numDeletedRows);
}
