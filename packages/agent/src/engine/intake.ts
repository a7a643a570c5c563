import type { MqttArrival } from '@srup/node';
import {
  deviceForbids,
  receive,
  screen,
  type Fresh,
  type Identity,
  type Peer,
  type Result,
  type VerifyKey,
} from '@srup/protocol';
import type { Ledger } from './ledger.ts';

export interface IntakeOptions {
  readonly self: Identity;
  readonly server: Identity;
  readonly serverKey: VerifyKey;
}

/** Judges a message that arrived (P 4.6). It changes nothing: the window of a fresh one is to be committed (P 5.3). */
export type Intake = (arrival: MqttArrival) => Result<Fresh>;

export function createIntake(
  { self, server, serverKey }: IntakeOptions,
  ledger: Pick<Ledger, 'state' | 'peer'>,
): Intake {
  /** P 9.7: the device knows no other sender, so it obeys no other. */
  function findPeer(sender: Identity): Peer | undefined {
    if (sender !== server) return undefined;
    const { join } = ledger.state;
    return {
      id: server,
      key: serverKey,
      window: ledger.peer.window,
      sent: ledger.peer.sent,
      joinToken: join.phase === 'asking' ? join.token : undefined,
      forbids: (type) => deviceForbids(ledger.state, type),
    };
  }

  return (arrival) => {
    const screened = screen(arrival, { role: 'device', self });
    return screened.ok ? receive(screened.value, findPeer(screened.value.message.sender)) : screened;
  };
}
