/** The embedded broker (P 7): aedes behind TLS, with the rules of P 7.3. */
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Aedes, type Client } from 'aedes';
import { joinFilter, mqttClientId, parseIdentity, type Clock, type Identity } from '@srup/protocol';
import { createGate, type Gate } from './gate.ts';
import { listen, type BrokerTls } from './listener.ts';
import { createPacketMeter, MAX_PACKET_BYTES } from './packets.ts';
import { createRefusals, type BrokerRefusal, type Refusals } from './refusals.ts';
import { judgeSubscribe, type Peer, type RefusalCode } from './rules.ts';
import { DEVICE_QUEUE, SERVER_QUEUE, Sessions } from './sessions.ts';

export { BrokerError, type BrokerTls } from './listener.ts';
export type { BrokerRefusal } from './refusals.ts';
export type { RefusalCode } from './rules.ts';

/** Milliseconds in which a connection must say CONNECT. */
const CONNECT_MS = 10_000;
/** Milliseconds that a client may take nothing of what was written to it. */
const DRAIN_MS = 30_000;

interface CommonOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Whose certificate does the server's part. */
  readonly serverId: Identity;
  /** Asked at each connection of a device: certified and not revoked. */
  readonly isAllowed: (id: Identity) => Promise<boolean>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly onRefusal: (refusal: BrokerRefusal) => void;
  /** For the operator. */
  readonly warn: (message: string) => void;
}

export type BrokerOptions = CommonOptions &
  (
    | { readonly tls: BrokerTls; readonly insecurePlainMqtt?: false }
    /** Nothing is encrypted, and everybody is to the broker who they say; messages stay signed (P 7.5). */
    | { readonly tls?: undefined; readonly insecurePlainMqtt: true }
  );

export interface BrokerStats {
  readonly connected: number;
  /** Clients whose subscriptions are kept, connected or away. */
  readonly sessions: number;
  /** Messages that were not acknowledged yet, of all clients. */
  readonly waiting: { readonly messages: number; readonly bytes: number };
  readonly refusals: Readonly<Partial<Record<RefusalCode, number>>>;
}

export interface RunningBroker {
  readonly port: number;
  /** A new certificate or revocation list, for connections from now on. */
  setTls(changes: Partial<BrokerTls>): void;
  /** Ends the connection of an identity, and drops its subscriptions and all that waits for it (P 10.8). */
  disconnect(id: Identity): Promise<void>;
  stats(): BrokerStats;
  close(): Promise<void>;
}

/**
 * Starts the broker. Devices are let in as soon as the server has subscribed to the joins that are for it, which it
 * does last: until then it would miss what they send (P 7.2). Rejects with `BrokerError` when it can't listen.
 */
export async function startBroker(options: BrokerOptions): Promise<RunningBroker> {
  const { serverId, isAllowed, warn, insecurePlainMqtt } = options;
  const refusals = createRefusals(options.onRefusal);
  const peerNamed = (clientId: string): Peer | undefined => peerOfClientId(clientId, serverId);
  const gate = createGate({
    isAllowed,
    refusals,
    clock: options.clock,
    warn,
    ...(insecurePlainMqtt === true && { claimedBy: peerNamed }),
  });
  const sessions = createSessions(peerNamed, refusals);
  const aedes = await Aedes.createBroker({
    ...gate.doors,
    persistence: sessions,
    concurrency: 0, // else a hundred messages to slow clients would hold up those to all others
    connectTimeout: CONNECT_MS,
    drainTimeout: DRAIN_MS,
  });
  const connected = watchClients(aedes, gate, refusals, warn);

  function onSocket(socket: Socket): void {
    if (socket instanceof TLSSocket) {
      const peer = peerOfCertificate(socket, serverId);
      if (peer === undefined) {
        refusals.refuse({ code: 'BROKER_IDENTITY', detail: 'the common name is no identity' });
        socket.destroy();
        return;
      }
      gate.introduce(socket, peer);
    }
    const client = aedes.handle(socket);
    meter(socket, () => {
      refusals.refuse(
        { code: 'BROKER_TOO_LARGE', detail: `a packet of more than ${MAX_PACKET_BYTES} bytes` },
        gate.peerOf(client),
      );
    });
  }

  if (insecurePlainMqtt === true) {
    warn(
      `MQTT WITHOUT TLS on ${options.host}:${options.port}: everybody on the network can read what is sent, and can connect as any device. Use this for tests only (P 7.5).`,
    );
  }
  const listener = await listen({
    host: options.host,
    port: options.port,
    tls: options.tls,
    onSocket,
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

function createSessions(peerNamed: (clientId: string) => Peer | undefined, refusals: Refusals): Sessions {
  return new Sessions({
    limitOf: (clientId) => (peerNamed(clientId)?.isServer === true ? SERVER_QUEUE : DEVICE_QUEUE),
    mayKeep: (clientId, filter) => {
      const peer = peerNamed(clientId);
      return peer !== undefined && judgeSubscribe(peer, filter) === undefined;
    },
    onOverflow: (clientId) => {
      refusals.refuse(
        { code: 'BROKER_QUEUE', detail: 'too many messages wait: the oldest give way' },
        peerNamed(clientId),
      );
    },
  });
}

/** Keeps the list of who is connected, and tells what goes wrong on a connection. */
function watchClients(
  aedes: Aedes,
  gate: Gate,
  refusals: Refusals,
  warn: (message: string) => void,
): ReadonlyMap<Identity, Client> {
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
    // Those with a code are the network's: a connection that broke is nobody's offence.
    if ('code' in error || refusals.isTold(error) || QUIET.has(error.message)) return;
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

/** How aedes says that somebody went silent or away. */
const QUIET = new Set(['keep alive timeout', 'connection closed', 'drain timeout']);

/** aedes takes bytes with `read`: there each packet is measured before it is collected. */
function meter(socket: Socket, onTooLarge: () => void): void {
  const isWithin = createPacketMeter();
  const read = socket.read.bind(socket);
  socket.read = (size?: number): unknown => {
    const chunk: unknown = read(size);
    if (!(chunk instanceof Uint8Array) || isWithin(chunk)) return chunk;
    onTooLarge();
    socket.destroy();
    return null;
  };
}

function peerOfCertificate(socket: TLSSocket, serverId: Identity): Peer | undefined {
  const name: unknown = socket.getPeerCertificate().subject.CN; // a list, where there are several
  return typeof name === 'string' ? toPeer(parseIdentity(name), serverId) : undefined;
}

const CLIENT_ID_START = mqttClientId(1n).slice(0, -1);

function peerOfClientId(clientId: string, serverId: Identity): Peer | undefined {
  if (!clientId.startsWith(CLIENT_ID_START)) return undefined;
  return toPeer(parseIdentity(clientId.slice(CLIENT_ID_START.length)), serverId);
}

function toPeer(id: Identity | undefined, serverId: Identity): Peer | undefined {
  return id === undefined ? undefined : { id, isServer: id === serverId };
}

function closeClient(client: Client): Promise<void> {
  return new Promise((resolve) => {
    client.close(resolve);
  });
}

function closeAedes(aedes: Aedes): Promise<void> {
  return new Promise((resolve) => {
    aedes.close(resolve);
  });
}
