/**
 * What may not go back in time when a server does (P 5.1, 8.4). Numbers and codes that were used after the backup are
 * not in it; here they are put out of reach.
 */
import type { DatabaseSync } from 'node:sqlite';
import { counterStart, MAX_SEQUENCE_JUMP, MAX_U64, type Random } from '@srup/protocol';
import { C2_TYPE } from '../keyservice/requests.ts';

/** Messages to one device that a server can have sent in a burst since the backup. */
const BURST = 2n ** 26n;
/** Messages a second to one device that it can have sent all the time: ten years of them stay below 2^32. */
const A_SECOND = 10n;
/** The device accepts a jump of 2^32 (P 5.2) above what it has seen; the rest is for what it has not seen yet. */
const LONGEST_JUMP = MAX_SEQUENCE_JUMP - 2n ** 28n;
/** No server has ever begun to count that high by itself: see `counterStart`. */
const UNUSED_FROM = 2n ** 62n;

/**
 * How far every counter is moved. It grows with the age of the backup, so that a second restore of the same backup
 * is beyond what was sent after the first; the random part keeps them apart when a clock was wrong.
 */
export function jumpAfter(ageMs: number, random: Pick<Random, 'bytes'>): bigint {
  const apart = counterStart(random.bytes(8)) % BURST;
  const jump = BURST + (A_SECOND * BigInt(Math.max(0, Math.trunc(ageMs)))) / 1000n + apart;
  return jump < LONGEST_JUMP ? jump : LONGEST_JUMP;
}

/** Moves all counters of the core, and returns how many. */
export function moveCounters(fleet: DatabaseSync, jump: bigint): number {
  const rows = fleet.prepare('select device, sent, highest from peers').all() as {
    device: string;
    sent: string;
    highest: string;
  }[];
  const update = fleet.prepare('update peers set sent = ? where device = ?');
  for (const { device, sent, highest } of rows) {
    const last = BigInt(sent) > BigInt(highest) ? BigInt(sent) : BigInt(highest);
    const moved = last + jump;
    update.run((moved < MAX_U64 ? moved : MAX_U64).toString(), device);
  }
  return rows.length;
}

interface CertifiedRow {
  readonly id: string;
  readonly type: string;
  readonly suite: string;
  readonly public_pem: string;
  readonly seal_pem: string | null;
  readonly registered_at: number;
}

/**
 * Devices that the key service knows and the core has not heard of: they may have joined after the backup. Their
 * counters begin where no server has counted yet; the answer to a join may be that far ahead (P 5.2).
 */
export function reserveCounters(
  fleet: DatabaseSync,
  keyService: DatabaseSync,
  random: Pick<Random, 'bytes'>,
): void {
  const certified = keyService
    .prepare("select * from identities where state = 'certified' and type <> ?")
    .all(C2_TYPE) as unknown as CertifiedRow[];
  const isKnown = fleet.prepare('select 1 from devices where id = ?');
  const addDevice = fleet.prepare(
    `insert into devices (id, type, suite, public_pem, seal_pem, standing, confirms, first_seen_at)
     values (?, ?, ?, ?, ?, 'unknown', 0, ?)`,
  );
  const addPeer = fleet.prepare("insert into peers (device, sent, highest, seen) values (?, ?, '0', '1')");
  for (const row of certified) {
    if (isKnown.get(row.id) !== undefined) continue;
    addDevice.run(row.id, row.type, row.suite, row.public_pem, row.seal_pem, row.registered_at);
    addPeer.run(row.id, (UNUSED_FROM + counterStart(random.bytes(8))).toString());
  }
}

/** A code that was used up since would let another device in (P 8.4). Returns how many were dropped. */
export function dropCodes(keyService: DatabaseSync): number {
  return Number(keyService.prepare('delete from enrolment_codes').run().changes);
}

/** Who is revoked gets nothing more. */
export function dropOwed(fleet: DatabaseSync, devices: readonly string[]): void {
  const drop = fleet.prepare('delete from outbox where device = ?');
  for (const device of devices) drop.run(device);
}

/** Nobody logs in with a token that was revoked since, or stolen with the old machine. */
export function dropApiTokens(fleet: DatabaseSync): number {
  return Number(fleet.prepare('delete from api_tokens').run().changes);
}
