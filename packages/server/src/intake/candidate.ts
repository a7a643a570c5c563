/** Who may have sent a message: what is stored of it, or what the key service vouches for. */
import { within, type Delay, type Log } from '@srup/node';
import {
  identityText,
  isJoinRequest,
  serverForbids,
  type Clock,
  type Identity,
  type Peer,
  type Random,
  type Screened,
} from '@srup/protocol';
import type { Enrolment, IdentityDirectory } from '../peers/directory.ts';
import { newRecord, type DeviceRecord, type Records } from '../peers/records.ts';

/** For the key service's word on a device that wants to join, in milliseconds; others wait behind it. */
const DIRECTORY_TIMEOUT_MS = 5_000;

export interface Candidate {
  readonly record: DeviceRecord;
  readonly isStored: boolean;
  /** The key service no longer lets it in, or not yet. */
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

/** What a candidate's message is judged by (P 4.6). */
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
 * Finds who may have sent the message; in the lane of the device that its topic names. Nothing is asked or parsed for a
 * message that names one sender and comes on the topic of another (P 7.4).
 */
export async function findCandidate(
  ports: CandidatePorts,
  { message, topic }: Screened,
): Promise<Candidate | undefined> {
  const { records, clock, random } = ports;
  const device = identityText(message.sender);
  if (topic.device !== message.sender) {
    const record = await records.peek(device);
    return record && { record, isStored: true, isBarred: true };
  }
  const record = await records.find(device);
  const mustAsk = isJoinRequest(message.type) && topic.kind === 'join' && record?.row.standing !== 'joined';
  if (!mustAsk) return record && { record, isStored: true, isBarred: false };
  const enrolment = await askDirectory(ports, message.sender);
  const isBarred = enrolment?.state !== 'certified';
  if (record !== undefined) return { record, isStored: true, isBarred };
  // Only the certified get a key here, so that the unfinished and the unknown are one to us (P 8.5).
  if (enrolment === undefined || isBarred) return undefined;
  return { record: newRecord(enrolment, clock.now(), random), isStored: false, isBarred };
}

/** A key service that does not answer is one that does not vouch; the device asks again. */
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
