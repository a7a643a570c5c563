/** The doors that a CONNECT passes: does the client id belong to the certificate, and may this identity connect? */
import type { AedesOptions, AuthenticateError, Client, Connection } from 'aedes';
import type { Identity } from '@srup/protocol';
import type { Endings } from './endings.ts';
import type { Latch } from './latch.ts';
import type { Peer } from '../peer.ts';
import type { Refusals } from '../refusals.ts';
import { judgeConnect, NO_IDENTITY, type Verdict } from '../rules.ts';

/** Milliseconds that a device waits for its CONNACK until the server listens; then it is sent away, and tries again. */
const HOLD_MS = 5_000;

const REVOKED: Verdict = { code: 'BROKER_REVOKED', detail: 'not certified, or revoked' };
const NOT_LISTENING: Verdict = { code: 'BROKER_UNAVAILABLE', detail: 'the server does not listen yet' };
const UNKNOWN: Verdict = { code: 'BROKER_UNAVAILABLE', detail: 'its standing could not be looked up' };

/** MQTT 3.1.1, 3.2.2.3. */
const IDENTIFIER_REJECTED = 2;
const UNAVAILABLE = 3;
const NOT_AUTHORISED = 5;

export type ConnectDoors = Required<Pick<AedesOptions, 'preConnect' | 'authenticate'>>;

export interface ConnectPorts {
  readonly isAllowed: (id: Identity) => Promise<boolean>;
  readonly refusals: Refusals;
  readonly warn: (message: string) => void;
  readonly claimedBy?: (clientId: string) => Peer | undefined;
  readonly peerOf: (client: Client) => Peer | undefined;
  readonly introduce: (connection: Connection, peer: Peer) => void;
  readonly endings: Pick<Endings, 'begin'>;
  /** Opens when the server listens. */
  readonly server: Pick<Latch, 'opensWithin'>;
}

export function connectDoors(ports: ConnectPorts): ConnectDoors {
  const { isAllowed, refusals, warn, claimedBy, peerOf, introduce, endings, server } = ports;
  const verdicts = new WeakMap<Client, Verdict>();

  const preConnect: ConnectDoors['preConnect'] = (client, packet, done) => {
    const claimed = claimedBy?.(packet.clientId);
    if (claimed !== undefined) introduce(client.conn, claimed);
    const peer = peerOf(client);
    const verdict = peer === undefined ? NO_IDENTITY : judgeConnect(peer, packet);
    if (verdict !== undefined) verdicts.set(client, verdict);
    done(null, true); // refused at the next door, where the client gets an answer
  };

  const authenticate: ConnectDoors['authenticate'] = (client, _user, _password, done) => {
    const peer = peerOf(client);
    const refuse = (verdict: Verdict): void => {
      done(toConnack(refusals.refuse(verdict, peer), codeOf(verdict)), null);
    };
    const verdict = verdicts.get(client);
    if (peer === undefined || verdict !== undefined) {
      refuse(verdict ?? NO_IDENTITY);
      return;
    }
    endings.begin(client, peer.id);
    admit(peer).then(
      (refused) => {
        if (refused === undefined) done(null, true);
        else refuse(refused);
      },
      (error: unknown) => {
        const why = error instanceof Error ? error.message : 'unknown reason';
        warn(`The broker could not find out whether a device may connect, and sent it away: ${why}`);
        refuse(UNKNOWN);
      },
    );
  };

  async function admit({ id, isServer }: Peer): Promise<Verdict | undefined> {
    if (isServer) return undefined;
    if (!(await isAllowed(id))) return REVOKED;
    // Before the server listens, the broker would acknowledge what a device sends, and the message would be lost.
    return (await server.opensWithin(HOLD_MS)) ? undefined : NOT_LISTENING;
  }

  return { preConnect, authenticate };
}

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

/** aedes answers the CONNECT with this code before it ends the connection. */
function toConnack(error: Error, returnCode: number): AuthenticateError {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- aedes has this enum as a type only
  return Object.assign(error, { returnCode });
}
