import type { MqttArrival } from '@srup/node';
import type { Core } from '../turn/core.ts';
import type { FleetDeps } from '../turn/deps.ts';
import { hastenAnswers } from '../time/hasten.ts';
import type { Sender } from '../outbox/sender.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Before subscriptions that the broker refused are tried again, in milliseconds. */
const SUBSCRIBE_RETRY_MS = 5_000;
/** Over which all devices are asked again, after the broker forgot us, in milliseconds. */
const HASTE_SPREAD_MS = 2_000;

/** The link's handlers, held from the first moment. */
export interface Connection {
  isUp(): boolean;
  /** The broker came without our session, and what devices said meanwhile may have gone to nobody. */
  readonly loss: { isOpen: boolean };
  /** What arrived since then is taken now. */
  begin(arrive: (arrival: MqttArrival) => Promise<void>, onChange: () => void): void;
  /** Its end is ours: nobody needs to hear of it. */
  end(): void;
}

/** With a kept session messages arrive at once; they wait for `begin`, and so do their PUBACKs (P 5.3). */
export function holdLink({ link, log }: FleetDeps): Connection {
  let isUp = false;
  const loss = { isOpen: false };
  let changed: () => void = () => undefined;
  let release: (arrive: (arrival: MqttArrival) => Promise<void>) => void = () => undefined;
  const receiver = new Promise<(arrival: MqttArrival) => Promise<void>>((resolve) => (release = resolve));
  link.onMessage = async (arrival) => (await receiver)(arrival);
  link.onConnect = (sessionKept) => {
    isUp = true;
    if (!sessionKept) loss.isOpen = true;
    changed();
  };
  link.onDisconnect = (reason, retryMs) => {
    log.warn({ reason, retryMs: Math.round(retryMs) }, 'the broker is away; what is owed waits');
    isUp = false;
    changed();
  };
  return {
    loss,
    isUp: () => isUp,
    begin: (arrive, onChange) => {
      changed = onChange;
      release(arrive);
    },
    end: () => {
      isUp = false;
      changed = () => undefined;
      link.onDisconnect = () => undefined;
    },
  };
}

/**
 * Opens the sender only while answers can be heard. Call the result whenever the connection changed. `onHastened`:
 * answers are asked for anew.
 */
export function followConnection(
  connection: Connection,
  subscriptions: Subscriptions,
  sender: Sender,
  { log, delay, clock, store }: Pick<Core, 'log' | 'delay' | 'clock' | 'store'>,
  onHastened: () => void,
): () => Promise<void> {
  let turn = 0;

  /** A device that kept its session, or came back before us, does not greet: nobody else would notice. */
  async function mendLoss(): Promise<void> {
    if (!connection.loss.isOpen) return;
    connection.loss.isOpen = false;
    try {
      await store.commit((transaction) =>
        hastenAnswers(transaction, clock.now(), { spreadMs: HASTE_SPREAD_MS }),
      );
    } catch (fault) {
      connection.loss.isOpen = true;
      throw fault;
    }
    onHastened();
  }

  return async function follow(): Promise<void> {
    const mine = ++turn;
    const isOver = () => mine !== turn || !connection.isUp();
    sender.shut();
    subscriptions.forget();
    if (isOver()) return;
    try {
      await mendLoss();
      await subscriptions.refresh();
      if (!isOver()) sender.open();
    } catch (fault) {
      if (isOver()) return; // the link comes back by itself, and so do we
      log.error({ err: fault }, 'the broker did not take the subscriptions; they are tried again');
      delay(SUBSCRIBE_RETRY_MS, () => void follow());
    }
  };
}
