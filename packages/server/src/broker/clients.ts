/** The clients that are connected now, and what goes wrong on their connections. */
import type { EventEmitter } from 'node:events';
import type { Aedes, Client } from 'aedes';
import { joinFilter, type Identity } from '@srup/protocol';
import type { Gate } from './doors/gate.ts';
import type { Refusals } from './refusals.ts';

/** How aedes says that a client went silent or away. */
const QUIET = new Set(['keep alive timeout', 'connection closed', 'drain timeout']);

export interface ClientPorts {
  readonly aedes: Aedes;
  readonly gate: Gate;
  readonly refusals: Refusals;
  readonly warn: (message: string) => void;
}

/** Returns the connected clients by identity; the map follows what happens. */
export function followClients({ aedes, gate, refusals, warn }: ClientPorts): ReadonlyMap<Identity, Client> {
  const connected = new Map<Identity, Client>();
  aedes.on('client', (client) => {
    const peer = gate.peerOf(client);
    if (peer === undefined || gate.wasEnded(client)) {
      client.close();
      return;
    }
    connected.set(peer.id, client);
  });
  aedes.on('clientDisconnect', (client) => {
    const id = gate.peerOf(client)?.id;
    if (id !== undefined && connected.get(id) === client) connected.delete(id);
  });
  aedes.on('subscribe', (subscriptions, client) => {
    const peer = gate.peerOf(client);
    const listens = subscriptions.some(
      ({ topic }) => peer?.isServer === true && topic === joinFilter(peer.id),
    );
    if (listens) gate.openForDevices();
  });
  const onError = (client: Client, error: Error): void => {
    // Errors with a code come from the network: a connection that broke is no offence.
    if ('code' in error || refusals.isReported(error) || QUIET.has(error.message)) return;
    refusals.refuse({ code: 'BROKER_PROTOCOL', detail: error.message.slice(0, 100) }, gate.peerOf(client));
  };
  aedes.on('clientError', onError);
  aedes.on('connectionError', onError);
  const events: EventEmitter = aedes; // whose own types leave this one out
  events.on('error', (error: Error) => {
    warn(`The broker had an error: ${error.message}`);
  });
  return connected;
}

export function closeClient(client: Client): Promise<void> {
  return new Promise((resolve) => {
    client.close(resolve);
  });
}
