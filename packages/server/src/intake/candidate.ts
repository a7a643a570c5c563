/** The device that may have sent a message: one that is stored, or one that the key service vouches for. */
import { within, type Delay, type Log } from '@srup/node';
import {
  identityText,
  isJoinRequest,
  serverForbids,
  type AuthCode,
  type Clock,
  type Identity,
  type Peer,
  type Random,
  type Screened,
} from '@srup/protocol';
import type { Enrolment, IdentityDirectory } from '../peers/directory.ts';
import { newRecord, type DeviceRecord, type Records } from '../peers/records.ts';

/** Timeout of a question to the key service, in milliseconds. Other messages wait behind it. */
const DIRECTORY_TIMEOUT_MS = 5_000;

export interface Candidate {
  readonly record: DeviceRecord;
  readonly isStored: boolean;
  /** The key service does not vouch for it: not yet, or no longer. */
  readonly isBarred: boolean;
}

export interface CandidatePorts {
  readonly records: Records;
  readonly directory: Pick<IdentityDirectory, 'find'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly delay: Delay;
  readonly log: Log;
}

/**
 * What the server judges a candidate's message by (P 4.6).
 *
 * @example
 * const received = receive(screened, peerOf(candidate));
 */
export function peerOf({ record, isBarred }: Candidate): Peer {
  return {
    id: record.id,
    key: record.key,
    window: record.window,
    sent: record.sent,
    forbids: (type) => (isBarred ? 'AUTH_STATE' : serverForbids(record.row.standing, type)),
  };
}

/**
 * The code for a message on the topic of another device than its sender; undefined for any other message. A device must
 * not speak on a sibling's topic (P 7.4), so this is a refusal in any case. It costs one query at most: no key is
 * parsed, and the key service is not asked.
 */
export async function refuseForeign(
  { records }: Pick<CandidatePorts, 'records'>,
  { message, topic }: Screened,
): Promise<AuthCode | undefined> {
  if (topic.device === message.sender) return undefined;
  return (await records.isStored(identityText(message.sender))) ? 'AUTH_TOPIC' : 'AUTH_SENDER';
}

/** Finds who may have sent a message on the topic of its sender. Runs in the lane of that device. */
export async function findCandidate(
  ports: CandidatePorts,
  { message, topic }: Screened,
): Promise<Candidate | undefined> {
  const { records, clock, random } = ports;
  const device = identityText(message.sender);
  const record = await records.find(device);
  const mustAsk = isJoinRequest(message.type) && topic.kind === 'join' && record?.row.standing !== 'joined';
  if (!mustAsk) return record && { record, isStored: true, isBarred: false };
  const enrolment = await askDirectory(ports, message.sender);
  const isBarred = enrolment?.state !== 'certified';
  if (record !== undefined) return { record, isStored: true, isBarred };
  // Only a certified device gets a key here. One that is not certified yet looks like an unknown one (P 8.5).
  if (enrolment === undefined || isBarred) return undefined;
  return { record: newRecord(enrolment, clock.now(), random), isStored: false, isBarred };
}

/** A key service that does not answer does not vouch for the device. The device asks again later. */
async function askDirectory(
  { directory, delay, log }: CandidatePorts,
  sender: Identity,
): Promise<Enrolment | undefined> {
  try {
    const asking = directory.find(sender);
    return await within(delay, DIRECTORY_TIMEOUT_MS, asking, 'the key service did not answer');
  } catch (fault) {
    log.error(
      { err: fault, sender: identityText(sender) },
      'the key service could not be asked about a device',
    );
    return undefined;
  }
}
