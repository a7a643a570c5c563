import { identityText, parseIdentity, type Identity } from './identity.ts';
import { isJoinRequest, type MessageType } from './message/layouts.ts';

/** Where a message came from or goes to (P 7.2). */
export type Topic =
  | { readonly kind: 'device'; readonly device: Identity }
  | { readonly kind: 'join'; readonly server: Identity; readonly device: Identity };

/** `SRUP/<device>`: everything but joins, both ways. */
export function deviceTopic(device: Identity): string {
  return `SRUP/${identityText(device)}`;
}

/** `SRUP/servers/<server>/<device>`: the topic of join requests. */
export function joinTopic(server: Identity, device: Identity): string {
  return `SRUP/servers/${identityText(server)}/${identityText(device)}`;
}

/** The name of a topic, as a transport takes it: `parseTopic` gives the topic back. */
export function topicName(topic: Topic): string {
  return topic.kind === 'device' ? deviceTopic(topic.device) : joinTopic(topic.server, topic.device);
}

/** What a server subscribes to for joins: `SRUP/servers/<server>/+`. */
export function joinFilter(server: Identity): string {
  return `SRUP/servers/${identityText(server)}/+`;
}

/** The topic that a device sends a message of this type to. */
export function topicFromDevice(type: MessageType, server: Identity, device: Identity): string {
  return isJoinRequest(type) ? joinTopic(server, device) : deviceTopic(device);
}

/** Undefined for any other name; ids are parsed strictly, so no wildcard passes (P 2.7). */
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

/** MQTT client id (P 7.1, as the reference writes it). */
export function mqttClientId(id: Identity): string {
  return `SRUP Client: ${identityText(id)}`;
}
