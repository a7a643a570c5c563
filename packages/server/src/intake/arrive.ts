import { takeInOrder, type MqttArrival } from '@srup/node';
import {
  answerMessage,
  identityText,
  isJoinRequest,
  receive,
  receiveAside,
  screen,
  tokenKey,
  type FaultCode,
  type Fresh,
  type Screened,
  type ServerFacts,
} from '@srup/protocol';
import { policyCaller } from '../api/callers.ts';
import { wasAccepted } from '../evidence/accepted.ts';
import { findExchange, openExchanges } from '../peers/exchanges.ts';
import type { DeviceRecord } from '../peers/records.ts';
import { StoreFault } from '../store/fault.ts';
import { addAccepted, addProof, addRefusal, beginChange } from '../turn/change.ts';
import { factsOf, momentOf } from '../turn/facts.ts';
import { addOutcome } from '../turn/outcome.ts';
import { deviceOwner } from '../turn/owner.ts';
import type { TurnPorts } from '../turn/ports.ts';
import { findCandidate, peerOf, refuseForeign, type Candidate, type CandidatePorts } from './candidate.ts';
import { createRefusals } from './refuse.ts';

/** Takes one message from a transport. Resolves when it may be acknowledged (P 5.3). */
export type Arrive = (arrival: MqttArrival) => Promise<void>;

/**
 * Makes the way in for messages (P 4.6, 5.3). It resolves when the outcome of a message is on disk, whether the message
 * was accepted or refused. It rejects when the store failed: then the broker keeps the message and delivers it again.
 *
 * Call it in the order of arrival, without waiting: nothing happens between the call and the lane of the device, so the
 * messages of each device are taken in that order.
 *
 * @example
 * const arrive = createIntake(ports);
 * link.onMessage = arrive; // acknowledges when it resolves
 */
export function createIntake(ports: TurnPorts & CandidatePorts): Arrive {
  const { serverId, store, lanes, save, meter, log } = ports;
  const refusals = createRefusals(ports);
  let inHand = 0;

  async function arrive(arrival: MqttArrival): Promise<void> {
    const screened = screen(arrival, { role: 'server', self: serverId });
    if (screened.ok) {
      // The topic names the lane: a device that claims to be another one delays only itself.
      const owner = deviceOwner(identityText(screened.value.topic.device));
      return lanes.run(owner, () =>
        takeInOrder(arrival, () => survive(arrival, take(arrival, screened.value))),
      );
    }
    // Everything that we publish comes back to us on the device's topic (P 5.5). It must cost no look-up.
    if (screened.code === 'AUTH_OWN') return;
    return survive(arrival, refusals.refuse(screened.code, arrival, screened.claim));
  }

  /** Delivered again it would fail again, and delay every message behind it. The sender retries later (P 10.10). */
  async function survive({ topic }: MqttArrival, taking: Promise<void>): Promise<void> {
    try {
      await taking;
    } catch (fault) {
      if (fault instanceof StoreFault) throw fault;
      log.error({ err: fault, topic }, 'a message could not be handled and was dropped');
    }
  }

  async function take(arrival: MqttArrival, screened: Screened): Promise<void> {
    inHand++;
    try {
      await judge(arrival, screened);
    } finally {
      inHand--;
    }
  }

  async function judge(arrival: MqttArrival, screened: Screened): Promise<void> {
    const foreign = await refuseForeign(ports, screened);
    if (foreign !== undefined) return refusals.refuse(foreign, arrival, screened.message);
    const candidate = await findCandidate(ports, screened);
    const peer = candidate && peerOf(candidate);
    // A message that is in hand alone is answered sooner without a detour to another thread. When there are several,
    // other threads verify the slow signatures.
    const received = inHand > 1 ? await receiveAside(screened, peer) : receive(screened, peer);
    if (received.ok) return act(received.value, candidate as Candidate, arrival.topic);
    if (await isKnown(arrival, screened, received.code)) {
      meter.repeated();
      return;
    }
    return refusals.refuse(received.code, arrival, screened.message);
  }

  /**
   * Committed before, but not acknowledged when the connection ended, so the broker brings it again. DUP alone proves
   * nothing: whoever sets it on what is not stored must not go unnoticed.
   */
  async function isKnown(
    { repeated, bytes }: MqttArrival,
    { message }: Screened,
    code: FaultCode,
  ): Promise<boolean> {
    if (!repeated || (code !== 'REPLAY_SEEN' && code !== 'REPLAY_OLD')) return false;
    return wasAccepted(store.read, identityText(message.sender), message.sequence, bytes);
  }

  async function act(fresh: Fresh, { record, isStored }: Candidate, topic: string): Promise<void> {
    const moment = momentOf(ports);
    const change = beginChange(record, moment.now, isStored);
    addProof(change, fresh);
    const known = await findExchange(store.read, record.row.id, tokenKey(fresh.message.token));
    const answer = answerMessage(fresh, known, moment, await factsFor(fresh, record));
    if ('ok' in answer) {
      addRefusal(change, answer.code, topic, fresh);
    } else {
      if (answer.refused === undefined) addAccepted(change, fresh);
      else addRefusal(change, answer.refused, topic, fresh);
      await addOutcome(ports, change, answer, moment, { known, by: policyCaller(record.row.type) });
    }
    if (change.refusal !== undefined) change.isRefusalNews = refusals.isNews(change.refusal);
    change.isGreeting = fresh.message.type === 'JOIN_REQ' && record.row.standing === 'joined';
    await save(change);
  }

  async function factsFor({ message }: Fresh, record: DeviceRecord): Promise<ServerFacts> {
    const facts = factsOf(ports, record);
    if (record.row.standing !== 'terminated' || !isJoinRequest(message.type)) return facts;
    const open = await openExchanges(store.read, record.row.id);
    return { ...facts, dismissing: open.some(({ kind }) => kind === 'leave') };
  }

  return arrive;
}
