/** The rules of P 7.3 at each door of aedes: who is let in, and what it may do then. */
import type { Socket } from 'node:net';
import type { Client, Connection } from 'aedes';
import type { Clock, Identity } from '@srup/protocol';
import { connectDoors, type ConnectDoors } from './connect.ts';
import { createEndings } from './endings.ts';
import { createLatch } from './latch.ts';
import { messageDoors, type MessageDoors } from './messages.ts';
import type { Peer } from '../peer.ts';
import type { Refusals } from '../refusals.ts';

export interface GatePorts {
  /** Asked at each connection of a device: is it certified and not revoked? */
  readonly isAllowed: (id: Identity) => Promise<boolean>;
  readonly refusals: Refusals;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly warn: (message: string) => void;
  /** The owner of a client id, where no certificate says it (P 7.5). */
  readonly claimedBy?: (clientId: string) => Peer | undefined;
}

export interface Gate {
  readonly doors: ConnectDoors & MessageDoors;
  /** Says whose connection it is, before aedes gets it. */
  introduce(socket: Socket, peer: Peer): void;
  peerOf(client: Client): Peer | undefined;
  /** The server has subscribed to all that it wants to hear: from now on devices are let in. */
  openForDevices(): void;
  /** Ends the identity's connections up to now, also one that is just being let in. */
  end(id: Identity): void;
  /** Was the client ended while it was being let in? */
  wasEnded(client: Client): boolean;
}

export function createGate(ports: GatePorts): Gate {
  const peers = new WeakMap<Connection, Peer>();
  const endings = createEndings();
  const server = createLatch();
  const peerOf = (client: Client): Peer | undefined => peers.get(client.conn);
  const introduce = (connection: Connection, peer: Peer): void => void peers.set(connection, peer);
  return {
    doors: {
      ...connectDoors({ ...ports, peerOf, introduce, endings, server }),
      ...messageDoors({ ...ports, peerOf }),
    },
    introduce,
    peerOf,
    openForDevices: server.open,
    end: (id) => {
      endings.end(id);
    },
    wasEnded: (client) => {
      const peer = peerOf(client);
      return peer === undefined || endings.wasEnded(client, peer.id);
    },
  };
}
