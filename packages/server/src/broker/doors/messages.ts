/** The doors that messages and subscriptions pass. */
import type { AedesOptions, Client } from 'aedes';
import type { Clock } from '@srup/protocol';
import { createPacer, DEVICE_PACE } from './pace.ts';
import type { Peer } from '../peer.ts';
import type { Refusals } from '../refusals.ts';
import { judgePublish, judgeSubscribe, mayReceive, NO_IDENTITY } from '../rules.ts';

/** Bytes written to a connection that it has not taken yet. Over that the connection is dropped; its session stays. */
const UNSENT_BYTES = { device: 2 ** 20, server: 64 * 2 ** 20 };

export type MessageDoors = Required<
  Pick<AedesOptions, 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'>
>;

export interface MessagePorts {
  readonly refusals: Refusals;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly peerOf: (client: Client) => Peer | undefined;
}

export function messageDoors(ports: MessagePorts): MessageDoors {
  const { refusals, peerOf } = ports;
  const waitOf = pacing(ports);

  const authorizePublish: MessageDoors['authorizePublish'] = (client, packet, done) => {
    // It tells of the sender's own connection (MQTT 3.3.1.1); aedes would pass it on, as if we had sent it before.
    packet.dup = false;
    const peer = client === null ? undefined : peerOf(client);
    const verdict = peer === undefined ? NO_IDENTITY : judgePublish(peer, packet);
    if (client === null || peer === undefined || verdict !== undefined) {
      done(refusals.refuse(verdict ?? NO_IDENTITY, peer)); // an error ends the connection
      return;
    }
    const waitMs = peer.isServer ? 0 : waitOf(client, peer);
    // The broker reads nothing more of this connection in the meantime, so a device that floods delays only itself.
    if (waitMs > 0) setTimeout(done, waitMs).unref();
    else done();
  };

  const authorizeSubscribe: MessageDoors['authorizeSubscribe'] = (client, subscription, done) => {
    const peer = peerOf(client);
    const verdict = peer === undefined ? NO_IDENTITY : judgeSubscribe(peer, subscription.topic);
    if (verdict !== undefined) refusals.refuse(verdict, peer);
    done(null, verdict === undefined ? subscription : null);
  };

  const authorizeForward: MessageDoors['authorizeForward'] = (client, packet) => {
    const peer = peerOf(client);
    if (peer === undefined || !mayReceive(peer, packet.topic)) return null;
    const { conn } = client;
    const most = peer.isServer ? UNSENT_BYTES.server : UNSENT_BYTES.device;
    if (!conn.destroyed && conn.writableLength > most) {
      refusals.refuse({ code: 'BROKER_SLOW', detail: 'does not read what is sent to it' }, peer);
      conn.destroy();
    }
    return packet; // where the connection is gone it stays in the queue
  };

  return { authorizePublish, authorizeSubscribe, authorizeForward };
}

/** The milliseconds that the next message of a device has to wait. The first wait of a connection is reported. */
function pacing({ clock, refusals }: MessagePorts): (client: Client, peer: Peer) => number {
  const pacers = new WeakMap<Client, (now: number) => number>();
  const floods = new WeakSet<Client>();
  return (client, peer) => {
    const pacer = pacers.get(client) ?? createPacer(DEVICE_PACE);
    pacers.set(client, pacer);
    const waitMs = pacer(clock.monotonic());
    if (waitMs > 0 && !floods.has(client)) {
      floods.add(client);
      const detail = `publishes more than ${DEVICE_PACE.perSecond} messages a second: slowed down`;
      refusals.refuse({ code: 'BROKER_FLOOD', detail }, peer);
    }
    return waitMs;
  };
}
