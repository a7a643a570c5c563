/** Whose connection it is: the certificate says it, and without TLS the client id claims it (P 7.1, 7.5). */
import type { TLSSocket } from 'node:tls';
import { mqttClientId, parseIdentity, type Identity } from '@srup/protocol';

export interface Peer {
  readonly id: Identity;
  /** True for the C2 server itself, which has rights of its own (P 7.3). */
  readonly isServer: boolean;
}

/** Undefined when the common name of the certificate is not an identity. */
export function peerOfCertificate(socket: TLSSocket, serverId: Identity): Peer | undefined {
  const name: unknown = socket.getPeerCertificate().subject.CN; // a list, where there are several
  return typeof name === 'string' ? toPeer(parseIdentity(name), serverId) : undefined;
}

const CLIENT_ID_START = mqttClientId(1n).slice(0, -1);

/** Undefined when the client id has not the form of P 7.1. */
export function peerOfClientId(clientId: string, serverId: Identity): Peer | undefined {
  if (!clientId.startsWith(CLIENT_ID_START)) return undefined;
  return toPeer(parseIdentity(clientId.slice(CLIENT_ID_START.length)), serverId);
}

function toPeer(id: Identity | undefined, serverId: Identity): Peer | undefined {
  return id === undefined ? undefined : { id, isServer: id === serverId };
}
