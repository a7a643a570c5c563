/** What a client may do at the broker (P 7.3), as pure functions. Security never rests on these rules alone. */
import { deviceTopic, joinFilter, mqttClientId, parseTopic } from '@srup/protocol';
import type { Peer } from './peer.ts';

export type RefusalCode =
  | 'BROKER_TLS' // no certificate, or one that is expired, revoked, of another CA, or not for clients
  | 'BROKER_IDENTITY' // the certificate names no identity
  | 'BROKER_CLIENT_ID' // a client id that does not belong to the certificate (P 7.1)
  | 'BROKER_WILL' // the broker itself would publish a will later, when nothing judges it
  | 'BROKER_REVOKED' // an identity that may not connect (P 8.5)
  | 'BROKER_UNAVAILABLE' // the broker could not find out whether it may connect
  | 'BROKER_PUBLISH' // to a topic that belongs to another
  | 'BROKER_SUBSCRIBE' // to a topic that belongs to another
  | 'BROKER_RETAIN' // its receiver could not know the age of a retained message
  | 'BROKER_QOS' // QoS 2: mixed with QoS 1 it makes the broker lose messages
  | 'BROKER_TOO_LARGE' // a packet over the limit
  | 'BROKER_PROTOCOL' // not MQTT 3.1.1
  | 'BROKER_FLOOD' // publishes faster than its share: slowed down, reported once a connection
  | 'BROKER_SLOW' // does not read what it subscribed to
  | 'BROKER_QUEUE'; // more messages wait for an absent client than the broker keeps

export interface Verdict {
  readonly code: RefusalCode;
  readonly detail: string;
}

/** For a connection whose identity is not known. */
export const NO_IDENTITY: Verdict = { code: 'BROKER_IDENTITY', detail: 'no identity' };

interface Connect {
  readonly clientId: string;
  readonly will?: unknown;
}

interface Publish {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
}

/** Judges a CONNECT. Undefined when nothing is against it. */
export function judgeConnect({ id }: Peer, { clientId, will }: Connect): Verdict | undefined {
  if (clientId !== mqttClientId(id)) {
    return { code: 'BROKER_CLIENT_ID', detail: `${quote(clientId)} is not "${mqttClientId(id)}"` };
  }
  return will === undefined ? undefined : { code: 'BROKER_WILL', detail: 'a will message is not accepted' };
}

export function judgePublish(peer: Peer, { topic, qos, retain }: Publish): Verdict | undefined {
  if (retain) return { code: 'BROKER_RETAIN', detail: quote(topic) };
  if (qos > 1) return { code: 'BROKER_QOS', detail: `QoS ${qos} on ${quote(topic)}` };
  return mayPublish(peer, topic) ? undefined : { code: 'BROKER_PUBLISH', detail: quote(topic) };
}

export function judgeSubscribe(peer: Peer, filter: string): Verdict | undefined {
  return maySubscribe(peer, filter) ? undefined : { code: 'BROKER_SUBSCRIBE', detail: quote(filter) };
}

/** A device may publish to its own topic, and to its own level below any server; the server to the topic of a device. */
function mayPublish({ id, isServer }: Peer, topic: string): boolean {
  const parsed = parseTopic(topic);
  if (parsed === undefined) return false;
  return isServer ? parsed.kind === 'device' && parsed.device !== id : parsed.device === id;
}

/** A device may subscribe to its own topic; the server to topics of devices, one by one, and to the joins for itself. */
function maySubscribe({ id, isServer }: Peer, filter: string): boolean {
  if (!isServer) return filter === deviceTopic(id);
  return filter === joinFilter(id) || parseTopic(filter)?.kind === 'device';
}

/** May this peer receive a message on this topic? The broker checks it again at each delivery, whatever a session holds. */
export function mayReceive({ id, isServer }: Peer, topic: string): boolean {
  if (!isServer) return topic === deviceTopic(id);
  const parsed = parseTopic(topic);
  return parsed !== undefined && (parsed.kind === 'device' || parsed.server === id);
}

const SHOWN_LETTERS = 80;

/** Makes one line of limited length for the log from the text of a stranger. */
function quote(text: string): string {
  return JSON.stringify(text.length > SHOWN_LETTERS ? `${text.slice(0, SHOWN_LETTERS)}...` : text);
}
