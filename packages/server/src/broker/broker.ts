/** The embedded broker (P 7): aedes behind TLS, with the rules of P 7.3. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Aedes } from 'aedes';
import { mqttClientId, type Clock, type Identity } from '@srup/protocol';
import { closeClient, followClients } from './clients.ts';
import { createGate, type Gate } from './doors/gate.ts';
import { listen, type BrokerTls } from './listener.ts';
import { limitPackets, MAX_PACKET_BYTES } from './packets.ts';
import { peerOfCertificate, peerOfClientId, type Peer } from './peer.ts';
import { createRefusals, type BrokerRefusal, type Refusals } from './refusals.ts';
import { judgeSubscribe, type RefusalCode } from './rules.ts';
import { DEVICE_QUEUE, SERVER_QUEUE } from './session.ts';
import { Sessions } from './sessions.ts';

/** Milliseconds in which a connection must say CONNECT. */
const CONNECT_MS = 10_000;
/** Milliseconds that a client may take nothing of what was written to it. */
const DRAIN_MS = 30_000;

export interface BrokerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** The identity whose certificate has the rights of the server (P 7.3). */
  readonly serverId: Identity;
  /**
   * Certificate and CA. `insecure-plain`: nothing is encrypted, and every client is to the broker who it claims to be;
   * messages stay signed (P 7.5).
   */
  readonly tls: BrokerTls | 'insecure-plain';
}

export interface BrokerPorts {
  /** Asked at each connection of a device: is it certified and not revoked? */
  readonly isAllowed: (id: Identity) => Promise<boolean>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly onRefusal: (refusal: BrokerRefusal) => void;
  /** Takes a message for the operator. */
  readonly warn: (message: string) => void;
}

export interface BrokerStats {
  readonly connected: number;
  /** Clients whose subscriptions are kept, connected or away. */
  readonly sessions: number;
  /** Messages that clients have not acknowledged yet. */
  readonly waiting: { readonly messages: number; readonly bytes: number };
  readonly refusals: Readonly<Partial<Record<RefusalCode, number>>>;
}

export interface RunningBroker {
  readonly port: number;
  /** Sets a new certificate or revocation list, for connections from now on. */
  setTls(changes: Partial<BrokerTls>): void;
  /** Ends the connection of an identity, and drops its subscriptions and all that waits for it (P 10.8). */
  disconnect(id: Identity): Promise<void>;
  stats(): BrokerStats;
  close(): Promise<void>;
}

/**
 * Starts the broker. It lets devices in as soon as the server has subscribed to the joins that are for it, which the
 * server does last: until then it would miss what they send (P 7.2). Rejects with `BrokerError` when it can't listen.
 *
 * @example
 * const broker = await startBroker(
 *   { host: '127.0.0.1', port: 0, serverId, tls: { credential, ca: authority.caPem, crl } },
 *   { isAllowed: (id) => registry.isAllowed(id), clock, onRefusal: () => undefined, warn: console.warn },
 * );
 * await broker.close();
 */
export async function startBroker(options: BrokerOptions, ports: BrokerPorts): Promise<RunningBroker> {
  const { host, port, serverId, tls } = options;
  const { warn } = ports;
  const isPlain = tls === 'insecure-plain';
  const refusals = createRefusals(ports.onRefusal);
  const peerNamed = (clientId: string): Peer | undefined => peerOfClientId(clientId, serverId);
  const gate = createGate({ ...ports, refusals, ...(isPlain && { claimedBy: peerNamed }) });
  const sessions = createSessions(peerNamed, refusals);
  const aedes = await Aedes.createBroker({
    ...gate.doors,
    persistence: sessions,
    concurrency: 0, // otherwise a hundred messages to slow clients would hold up those to all others
    connectTimeout: CONNECT_MS,
    drainTimeout: DRAIN_MS,
  });
  const connected = followClients({ aedes, gate, refusals, warn });
  if (isPlain) {
    warn(
      `MQTT WITHOUT TLS on ${host}:${port}: everybody on the network can read what is sent, and can connect as any device. Use this for tests only (P 7.5).`,
    );
  }
  const listener = await listen({
    host,
    port,
    tls: isPlain ? undefined : tls,
    onSocket: receiver(aedes, gate, refusals, serverId),
    onRefused: (verdict) => refusals.refuse(verdict),
  }).catch(async (error: unknown) => {
    await closeAedes(aedes);
    throw error;
  });

  return {
    port: listener.port,
    setTls: (changes) => {
      listener.setTls(changes);
    },
    disconnect: async (id) => {
      gate.end(id);
      const client = connected.get(id);
      if (client !== undefined) await closeClient(client);
      sessions.forget(mqttClientId(id));
    },
    stats: () => ({
      connected: connected.size,
      sessions: sessions.size,
      waiting: sessions.waiting(),
      refusals: { ...refusals.counts },
    }),
    close: async () => {
      const closed = listener.close();
      await closeAedes(aedes);
      await closed;
    },
  };
}

/** Gives aedes the sockets whose owner is known, or will be known by the client id. */
function receiver(
  aedes: Aedes,
  gate: Gate,
  refusals: Refusals,
  serverId: Identity,
): (socket: Socket) => void {
  return (socket) => {
    if (socket instanceof TLSSocket) {
      const peer = peerOfCertificate(socket, serverId);
      if (peer === undefined) {
        refusals.refuse({ code: 'BROKER_IDENTITY', detail: 'the common name is not an identity' });
        socket.destroy();
        return;
      }
      gate.introduce(socket, peer);
    }
    const client = aedes.handle(socket);
    limitPackets(socket, () => {
      const detail = `a packet of more than ${MAX_PACKET_BYTES} bytes`;
      refusals.refuse({ code: 'BROKER_TOO_LARGE', detail }, gate.peerOf(client));
    });
  };
}

function createSessions(peerNamed: (clientId: string) => Peer | undefined, refusals: Refusals): Sessions {
  return new Sessions({
    limitOf: (clientId) => (peerNamed(clientId)?.isServer === true ? SERVER_QUEUE : DEVICE_QUEUE),
    mayKeep: (clientId, filter) => {
      const peer = peerNamed(clientId);
      return peer !== undefined && judgeSubscribe(peer, filter) === undefined;
    },
    onOverflow: (clientId) => {
      const detail = 'too many messages wait: the oldest are dropped';
      refusals.refuse({ code: 'BROKER_QUEUE', detail }, peerNamed(clientId));
    },
  });
}

function closeAedes(aedes: Aedes): Promise<void> {
  return new Promise((resolve) => {
    aedes.close(resolve);
  });
}
