import { identityText, parseIdentity, type Identity } from './identity.ts';
import { isJoinRequest, type MessageType } from './message/layouts.ts';

/** Where a message comes from or goes to (P 7.2). */
export type Topic =
  | { readonly kind: 'device'; readonly device: Identity }
  | { readonly kind: 'join'; readonly server: Identity; readonly device: Identity };

/** `SRUP/<device>`: the topic of everything but join requests, both ways (P 7.2). */
export function deviceTopic(device: Identity): string {
  return `SRUP/${identityText(device)}`;
}

/** `SRUP/servers/<server>/<device>`: the topic of join requests (P 7.2). */
export function joinTopic(server: Identity, device: Identity): string {
  return `SRUP/servers/${identityText(server)}/${identityText(device)}`;
}

/** The name of a topic, as a transport takes it. `parseTopic` is the way back. */
export function topicName(topic: Topic): string {
  return topic.kind === 'device' ? deviceTopic(topic.device) : joinTopic(topic.server, topic.device);
}

/** `SRUP/servers/<server>/+`: what a server subscribes to for join requests (P 7.2). */
export function joinFilter(server: Identity): string {
  return `SRUP/servers/${identityText(server)}/+`;
}

/**
 * The topic to which a device sends a message of this type (P 7.2).
 *
 * @example
 * topicFromDevice('JOIN_REQ', server, device); // 'SRUP/servers/<server>/<device>'
 * topicFromDevice('DATA', server, device); // 'SRUP/<device>'
 */
export function topicFromDevice(type: MessageType, server: Identity, device: Identity): string {
  return isJoinRequest(type) ? joinTopic(server, device) : deviceTopic(device);
}

/**
 * Reads the name of a topic; undefined for any other name. Ids are read strictly, so no wildcard passes (P 2.7).
 *
 * @example
 * parseTopic('SRUP/27ab54d670b64be2'); // { kind: 'device', device: 0x27ab54d670b64be2n }
 * parseTopic('SRUP/+'); // undefined
 */
export function parseTopic(name: string): Topic | undefined {
  const levels = name.split('/');
  if (levels[0] !== 'SRUP') return undefined;
  if (levels.length === 2) {
    const device = parseIdentity(levels[1] as string);
    return device === undefined ? undefined : { kind: 'device', device };
  }
  if (levels.length !== 4 || levels[1] !== 'servers') return undefined;
  const server = parseIdentity(levels[2] as string);
  const device = parseIdentity(levels[3] as string);
  return server === undefined || device === undefined ? undefined : { kind: 'join', server, device };
}

/** The MQTT client id of an identity, in the words of the reference (P 7.1). */
export function mqttClientId(id: Identity): string {
  return `SRUP Client: ${identityText(id)}`;
}
