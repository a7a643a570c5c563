/** Who may do what at the broker (P 7.3), as pure functions. Security never rests on these rules alone. */
import { deviceTopic, joinFilter, mqttClientId, parseTopic, type Identity } from '@srup/protocol';

export type RefusalCode =
  | 'BROKER_TLS' // no certificate, or one that is expired, revoked, of another CA, or not for clients
  | 'BROKER_IDENTITY' // the certificate names no identity
  | 'BROKER_CLIENT_ID' // a client id that is not the certificate's (P 7.1)
  | 'BROKER_WILL' // a will would be published later, by the broker itself, when nobody judges it
  | 'BROKER_REVOKED' // an identity that may not connect (P 8.5)
  | 'BROKER_UNAVAILABLE' // nobody could say whether it may connect
  | 'BROKER_PUBLISH' // to a topic of somebody else
  | 'BROKER_SUBSCRIBE' // to a topic of somebody else
  | 'BROKER_RETAIN' // a retained message is of unknown age for who gets it
  | 'BROKER_QOS' // QoS 2: mixed with QoS 1 it makes the broker lose messages
  | 'BROKER_TOO_LARGE' // a packet over the limit
  | 'BROKER_PROTOCOL' // no MQTT 3.1.1
  | 'BROKER_FLOOD' // publishes faster than its share: slowed down, told once a connection
  | 'BROKER_SLOW' // does not read what it subscribed to
  | 'BROKER_QUEUE'; // more waits for an absent client than is kept

/** What a connection may do, as its certificate says. */
export interface Peer {
  readonly id: Identity;
  readonly isServer: boolean;
}

export interface Verdict {
  readonly code: RefusalCode;
  readonly detail: string;
}

interface Connect {
  readonly clientId: string;
  readonly will?: unknown;
}

interface Publish {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
}

/** Undefined: nothing against it. */
export function judgeConnect({ id }: Peer, { clientId, will }: Connect): Verdict | undefined {
  if (clientId !== mqttClientId(id)) {
    return { code: 'BROKER_CLIENT_ID', detail: `${quote(clientId)} is not "${mqttClientId(id)}"` };
  }
  return will === undefined ? undefined : { code: 'BROKER_WILL', detail: 'a will message is not taken' };
}

export function judgePublish(peer: Peer, { topic, qos, retain }: Publish): Verdict | undefined {
  if (retain) return { code: 'BROKER_RETAIN', detail: quote(topic) };
  if (qos > 1) return { code: 'BROKER_QOS', detail: `QoS ${qos} on ${quote(topic)}` };
  return mayPublish(peer, topic) ? undefined : { code: 'BROKER_PUBLISH', detail: quote(topic) };
}

export function judgeSubscribe(peer: Peer, filter: string): Verdict | undefined {
  return maySubscribe(peer, filter) ? undefined : { code: 'BROKER_SUBSCRIBE', detail: quote(filter) };
}

/** A device: its own topic, and its own level below any server. The server: a device's topic. */
function mayPublish({ id, isServer }: Peer, topic: string): boolean {
  const parsed = parseTopic(topic);
  if (parsed === undefined) return false;
  return isServer ? parsed.kind === 'device' && parsed.device !== id : parsed.device === id;
}

/** A device: its own topic. The server: a device's topic, one by one, and the joins that are for it. */
function maySubscribe({ id, isServer }: Peer, filter: string): boolean {
  if (!isServer) return filter === deviceTopic(id);
  return filter === joinFilter(id) || parseTopic(filter)?.kind === 'device';
}

/** May a message on this topic be given to this peer? Checked again when it is, whatever a session holds. */
export function mayReceive({ id, isServer }: Peer, topic: string): boolean {
  if (!isServer) return topic === deviceTopic(id);
  const parsed = parseTopic(topic);
  return parsed !== undefined && (parsed.kind === 'device' || parsed.server === id);
}

const SHOWN_LETTERS = 80;

/** A stranger's text for a log: one line, not endless. */
function quote(text: string): string {
  return JSON.stringify(text.length > SHOWN_LETTERS ? `${text.slice(0, SHOWN_LETTERS)}...` : text);
}
