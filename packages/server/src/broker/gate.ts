/** The rules of P 7.3 at each door of aedes. */
import type { Socket } from 'node:net';
import type { AedesOptions, AuthenticateError, Client, Connection } from 'aedes';
import type { Clock, Identity } from '@srup/protocol';
import { createLatch } from './latch.ts';
import { createPacer, DEVICE_PACE } from './pace.ts';
import type { Refusals } from './refusals.ts';
import { judgeConnect, judgePublish, judgeSubscribe, mayReceive, type Peer, type Verdict } from './rules.ts';

/** Milliseconds that a device waits for its CONNACK until the server listens; then it is sent away, and tries again. */
const HOLD_MS = 5_000;
/** Bytes written to a connection that it has not taken yet: more, and it is dropped. Its session stays. */
const UNSENT_BYTES = { device: 2 ** 20, server: 64 * 2 ** 20 };

const NO_IDENTITY: Verdict = { code: 'BROKER_IDENTITY', detail: 'no identity' };

const REVOKED: Verdict = { code: 'BROKER_REVOKED', detail: 'not certified, or revoked' };
const NOT_LISTENING: Verdict = { code: 'BROKER_UNAVAILABLE', detail: 'the server does not listen yet' };
const UNKNOWN: Verdict = { code: 'BROKER_UNAVAILABLE', detail: 'its standing could not be looked up' };

/** MQTT 3.1.1, 3.2.2.3. */
const IDENTIFIER_REJECTED = 2;
const UNAVAILABLE = 3;
const NOT_AUTHORISED = 5;

function codeOf({ code }: Verdict): number {
  switch (code) {
    case 'BROKER_CLIENT_ID':
      return IDENTIFIER_REJECTED;
    case 'BROKER_UNAVAILABLE':
      return UNAVAILABLE;
    default:
      return NOT_AUTHORISED;
  }
}

export interface GateOptions {
  readonly isAllowed: (id: Identity) => Promise<boolean>;
  readonly refusals: Refusals;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly warn: (message: string) => void;
  /** Who a client id belongs to, where no certificate says it (P 7.5). */
  readonly claimedBy?: (clientId: string) => Peer | undefined;
}

type Doors = Required<
  Pick<
    AedesOptions,
    'preConnect' | 'authenticate' | 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'
  >
>;

export interface Gate {
  readonly doors: Doors;
  /** Says whose connection it is, before aedes gets it. */
  introduce(socket: Socket, peer: Peer): void;
  peerOf(client: Client): Peer | undefined;
  /** The server has subscribed to all that it wants to hear: from now on devices are let in. */
  openForDevices(): void;
  /** The identity's connections up to now are ended: also one that is just being let in. */
  end(id: Identity): void;
  /** Was it ended while it was let in? */
  wasEnded(client: Client): boolean;
}

export function createGate({ isAllowed, refusals, clock, warn, claimedBy }: GateOptions): Gate {
  const peers = new WeakMap<Connection, Peer>();
  const verdicts = new WeakMap<Client, Verdict>();
  /** How often each identity was ended, and how often it was when a client came. */
  const endings = new Map<Identity, number>();
  const begun = new WeakMap<Client, number>();
  const pacers = new WeakMap<Client, (now: number) => number>();
  const floods = new WeakSet<Client>();
  const server = createLatch();

  const peerOf = (client: Client): Peer | undefined => peers.get(client.conn);
  const endingsOf = (id: Identity): number => endings.get(id) ?? 0;

  const preConnect: Doors['preConnect'] = (client, packet, done) => {
    const claimed = claimedBy?.(packet.clientId);
    if (claimed !== undefined) peers.set(client.conn, claimed);
    const peer = peerOf(client);
    const verdict = peer === undefined ? NO_IDENTITY : judgeConnect(peer, packet);
    if (verdict !== undefined) verdicts.set(client, verdict);
    done(null, true); // refused at the next door, where the client gets an answer
  };

  const authenticate: Doors['authenticate'] = (client, _user, _password, done) => {
    const peer = peerOf(client);
    const verdict = verdicts.get(client);
    if (peer === undefined || verdict !== undefined) {
      const refused = verdict ?? NO_IDENTITY;
      done(toConnack(refusals.refuse(refused, peer), codeOf(refused)), null);
      return;
    }
    begun.set(client, endingsOf(peer.id));
    admit(peer).then(
      (refused) => {
        if (refused === undefined) done(null, true);
        else done(toConnack(refusals.refuse(refused, peer), codeOf(refused)), null);
      },
      (error: unknown) => {
        const why = error instanceof Error ? error.message : 'unknown reason';
        warn(`The broker could not find out whether a device may connect, and sent it away: ${why}`);
        done(toConnack(refusals.refuse(UNKNOWN, peer), UNAVAILABLE), null);
      },
    );
  };

  async function admit({ id, isServer }: Peer): Promise<Verdict | undefined> {
    if (isServer) return undefined;
    if (!(await isAllowed(id))) return REVOKED;
    // What a device sends before the server listens would be acknowledged, and lost.
    return (await server.opensWithin(HOLD_MS)) ? undefined : NOT_LISTENING;
  }

  const authorizePublish: Doors['authorizePublish'] = (client, packet, done) => {
    const peer = client === null ? undefined : peerOf(client);
    const verdict = peer === undefined ? NO_IDENTITY : judgePublish(peer, packet);
    if (client === null || peer === undefined || verdict !== undefined) {
      done(refusals.refuse(verdict ?? NO_IDENTITY, peer)); // an error ends the connection
      return;
    }
    const waitMs = peer.isServer ? 0 : waitOf(client, peer);
    // Nothing more of the connection is read meanwhile, so one that floods delays itself only.
    if (waitMs > 0) setTimeout(done, waitMs).unref();
    else done();
  };

  function waitOf(client: Client, peer: Peer): number {
    const pacer = pacers.get(client) ?? createPacer(DEVICE_PACE);
    const isFirst = !floods.has(client);
    pacers.set(client, pacer);
    const waitMs = pacer(clock.monotonic());
    if (waitMs > 0 && isFirst) {
      floods.add(client);
      const detail = `publishes more than ${DEVICE_PACE.perSecond} messages a second: slowed down`;
      refusals.refuse({ code: 'BROKER_FLOOD', detail }, peer);
    }
    return waitMs;
  }

  const authorizeSubscribe: Doors['authorizeSubscribe'] = (client, subscription, done) => {
    const peer = peerOf(client);
    const verdict = peer === undefined ? NO_IDENTITY : judgeSubscribe(peer, subscription.topic);
    if (verdict !== undefined) refusals.refuse(verdict, peer);
    done(null, verdict === undefined ? subscription : null);
  };

  const authorizeForward: Doors['authorizeForward'] = (client, packet) => {
    const peer = peerOf(client);
    if (peer === undefined || !mayReceive(peer, packet.topic)) return null;
    const { conn } = client;
    if (
      !conn.destroyed &&
      conn.writableLength > (peer.isServer ? UNSENT_BYTES.server : UNSENT_BYTES.device)
    ) {
      refusals.refuse({ code: 'BROKER_SLOW', detail: 'does not read what is sent to it' }, peer);
      conn.destroy();
    }
    return packet; // where the connection is gone it stays in the queue
  };

  return {
    doors: { preConnect, authenticate, authorizePublish, authorizeSubscribe, authorizeForward },
    introduce: (socket, peer) => peers.set(socket, peer),
    peerOf,
    openForDevices: server.open,
    end: (id) => endings.set(id, endingsOf(id) + 1),
    wasEnded: (client) => {
      const peer = peerOf(client);
      return peer === undefined || begun.get(client) !== endingsOf(peer.id);
    },
  };
}

/** aedes answers the CONNECT with this code before it ends the connection. */
function toConnack(error: Error, returnCode: number): AuthenticateError {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- aedes has this enum as a type only
  return Object.assign(error, { returnCode });
}
