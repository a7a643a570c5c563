import {
  answerMessage,
  serverForbids,
  identityText,
  isJoinRequest,
  receive,
  screen,
  tokenKey,
  type FaultCode,
  type Fresh,
  type Message,
  type Peer,
  type Screened,
  type ServerFacts,
} from '@srup/protocol';
import type { MqttArrival } from '@srup/node';
import { policyCaller } from '../api/callers.ts';
import type { Enrolment } from '../contract.ts';
import { StoreFault } from '../store/fault.ts';
import { appendRefusal } from '../evidence/messages.ts';
import type { NewRefusal } from '../store/tables.ts';
import { addAccepted, addProof, addRefusal, beginChange } from '../turn/change.ts';
import { factsOf, findExchange, momentOf, openExchanges, type Core, type Save } from '../turn/core.ts';
import { within } from '../turn/deadline.ts';
import { addEvents, type News } from '../news/events.ts';
import { addOutcome } from '../turn/outcome.ts';
import { newRecord, type DeviceRecord } from '../peers/records.ts';
import { createThrottle } from './throttle.ts';
import { viewRefusal } from '../news/views.ts';

/** For the key service's word on someone who wants to join, in milliseconds; others wait behind it. */
const DIRECTORY_TIMEOUT_MS = 5_000;

/** Refusals a second that are logged and told. */
const REFUSALS_TOLD = 10;

/** Who may have sent a message: what is stored of it, or what the key service vouches for. */
interface Candidate {
  readonly record: DeviceRecord;
  readonly isStored: boolean;
  /** The key service no longer lets it in, or not yet. */
  readonly isBarred: boolean;
}

/**
 * Takes what the transport hands over (P 4.6, 5.3). Resolves when the message may be acknowledged: its outcome, a
 * refusal too, is on disk. Rejects when the store failed, so that the broker keeps the message and brings it again.
 */
export function createIntake(core: Core, save: Save): (arrival: MqttArrival) => Promise<void> {
  const mayTell = createThrottle(core.clock, REFUSALS_TOLD, 1000);

  async function arrive(arrival: MqttArrival): Promise<void> {
    const screened = screen(arrival, { role: 'server', self: core.serverId });
    if (screened.ok) {
      // The topic names the lane: a device that claims to be another one holds up nobody but itself.
      const lane = identityText(screened.value.topic.device);
      return core.lanes.run(lane, () => take(arrival, screened.value));
    }
    // Whatever we publish comes back to us on the device's topic (P 5.5).
    if (screened.code === 'AUTH_OWN') return;
    return refuse(screened.code, arrival, screened.claim && claimOf(screened.claim));
  }

  async function take(arrival: MqttArrival, screened: Screened): Promise<void> {
    const candidate = await findCandidate(core, screened);
    const received = receive(screened, candidate && peerOf(candidate));
    if (received.ok) return act(received.value, candidate as Candidate, arrival.topic);
    return refuse(received.code, arrival, claimOf(screened.message));
  }

  async function act(fresh: Fresh, { record, isStored }: Candidate, topic: string): Promise<void> {
    const moment = momentOf(core);
    const change = beginChange(record, moment.now, isStored);
    addProof(change, fresh);
    const known = await findExchange(core, record.row.id, tokenKey(fresh.message.token));
    const answer = answerMessage(fresh, known, moment, await factsFor(fresh, record));
    if ('ok' in answer) {
      addRefusal(change, answer.code, topic, fresh);
    } else {
      if (answer.refused === undefined) addAccepted(change, fresh);
      else addRefusal(change, answer.refused, topic, fresh);
      await addOutcome(core, change, answer, moment, { known, by: policyCaller(record.row.type) });
    }
    if (change.refusal !== undefined) change.isRefusalNews = isNews(change.refusal);
    change.isGreeting = fresh.message.type === 'JOIN_REQ' && record.row.standing === 'joined';
    await save(change);
  }

  async function factsFor({ message }: Fresh, record: DeviceRecord): Promise<ServerFacts> {
    const facts = factsOf(core, record);
    if (record.row.standing !== 'terminated' || !isJoinRequest(message.type)) return facts;
    const open = await openExchanges(core, record.row.id);
    return { ...facts, dismissing: open.some(({ kind }) => kind === 'leave') };
  }

  async function refuse(
    code: FaultCode,
    arrival: MqttArrival,
    claim: Pick<NewRefusal, 'claimed_sender' | 'type'> = {},
  ): Promise<void> {
    const refusal: NewRefusal = { at: core.clock.now(), code, topic: arrival.topic, ...claim };
    const news: News[] = isNews(refusal) ? [{ kind: 'refusal', refusal: viewRefusal(refusal) }] : [];
    const lastEvent = await core.store.commit(async (transaction) => {
      await appendRefusal(transaction, refusal);
      return addEvents(transaction, refusal.at, news);
    });
    if (lastEvent !== undefined) core.events.tell(lastEvent);
  }

  /** All refusals are counted, the latest are kept; only some of a flood are logged and told to those who watch. */
  function isNews({ code, claimed_sender: sender, type }: NewRefusal): boolean {
    if (!mayTell()) return false;
    core.log.info({ code, sender, type }, 'a message was refused');
    return true;
  }

  return (arrival) =>
    arrive(arrival).catch((fault: unknown) => {
      if (fault instanceof StoreFault) throw fault;
      // Brought again it would fail again, and hold up everybody behind it. The sender asks anew in time (P 10.10).
      core.log.error({ err: fault, topic: arrival.topic }, 'a message could not be handled and was dropped');
    });
}

/** What a message says of itself; nothing proves it. */
function claimOf({
  sender,
  type,
}: Pick<Message, 'sender' | 'type'>): Pick<NewRefusal, 'claimed_sender' | 'type'> {
  return { claimed_sender: identityText(sender), type };
}

function peerOf({ record, isBarred }: Candidate): Peer {
  return {
    key: record.key,
    window: record.window,
    sent: record.sent,
    forbids: (type) => (isBarred ? 'AUTH_STATE' : serverForbids(record.row.standing, type)),
  };
}

/** Nothing is asked or parsed for a message that names one sender and comes on the topic of another (P 7.4). */
async function findCandidate(core: Core, { message, topic }: Screened): Promise<Candidate | undefined> {
  const device = identityText(message.sender);
  if (topic.device !== message.sender) {
    const record = await core.records.peek(device);
    return record && { record, isStored: true, isBarred: true };
  }
  const record = await core.records.find(device);
  const mustAsk = isJoinRequest(message.type) && topic.kind === 'join' && record?.row.standing !== 'joined';
  if (!mustAsk) return record && { record, isStored: true, isBarred: false };
  const enrolment = await askDirectory(core, message.sender);
  const isBarred = enrolment?.state !== 'certified';
  if (record !== undefined) return { record, isStored: true, isBarred };
  // Only the certified get a key here, so that the unfinished and the unknown are one to us (P 8.5).
  if (enrolment === undefined || isBarred) return undefined;
  return { record: newRecord(enrolment, core.clock.now(), core.random), isStored: false, isBarred };
}

/** A key service that does not answer is one that does not vouch; the device asks again. */
async function askDirectory(core: Core, sender: bigint): Promise<Enrolment | undefined> {
  try {
    return await within(
      core.delay,
      DIRECTORY_TIMEOUT_MS,
      core.directory.find(sender),
      'the key service did not answer',
    );
  } catch (fault) {
    core.log.error(
      { err: fault, sender: identityText(sender) },
      'the key service could not be asked about a device',
    );
    return undefined;
  }
}
