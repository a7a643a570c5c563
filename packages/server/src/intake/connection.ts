/** The connection to the broker. What arrives during the start waits; nothing is sent before answers are heard. */
import type { Delay, Log, MqttLink } from '@srup/node';
import type { Clock } from '@srup/protocol';
import type { Sender } from '../outbox/sender.ts';
import type { Subscriptions } from '../outbox/subscriptions.ts';
import type { Store } from '../store/port.ts';
import { hastenAnswers } from '../turn/hasten.ts';
import type { Arrive } from './arrive.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Time before the server retries subscriptions that the broker refused, in milliseconds. */
const SUBSCRIBE_RETRY_MS = 5_000;
/** Time over which all devices are asked again after the broker lost our session, in milliseconds. */
const HASTE_SPREAD_MS = 2_000;

/** The handlers of the link. They are set from the first moment. */
export interface Connection {
  isUp(): boolean;
  /** Open: the broker lost our session, so messages of devices may be lost. */
  readonly loss: { isOpen: boolean };
  /** Hands over what has arrived since the first moment, and everything that arrives from now on. */
  begin(arrive: Arrive, onChange: () => void): void;
  /** Forgets the connection: the server is stopping. */
  end(): void;
}

/**
 * Takes the handlers of a link. With a kept session messages arrive at once: they, and their PUBACKs, wait for `begin`
 * (P 5.3).
 *
 * @example
 * const connection = holdLink(link, log);
 * connection.begin(arrive, () => void follow());
 */
export function holdLink(link: MqttLink, log: Pick<Log, 'warn'>): Connection {
  let isUp = false;
  const loss = { isOpen: false };
  let changed: () => void = () => undefined;
  const begun = Promise.withResolvers<Arrive>();
  link.onMessage = async (arrival) => (await begun.promise)(arrival);
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
      begun.resolve(arrive);
    },
    end: () => {
      isUp = false;
      changed = () => undefined;
      link.onDisconnect = () => undefined;
    },
  };
}

export interface FollowPorts {
  readonly connection: Connection;
  readonly subscriptions: Pick<Subscriptions, 'forget' | 'refresh'>;
  readonly sender: Pick<Sender, 'open' | 'shut'>;
  readonly store: Store<CoreTables>;
  /** Called after devices were asked again. */
  readonly onHastened: () => void;
  readonly clock: Pick<Clock, 'now'>;
  readonly delay: Delay;
  readonly log: Pick<Log, 'error'>;
}

/**
 * Opens the sender only while the answers of devices can be heard. Call the result when the connection changes.
 *
 * @example
 * const follow = followConnection({ connection, subscriptions, sender, store, onHastened, clock, delay, log });
 * await follow();
 */
export function followConnection({
  connection,
  subscriptions,
  sender,
  store,
  onHastened,
  clock,
  delay,
  log,
}: FollowPorts): () => Promise<void> {
  let turn = 0;

  /** A device that kept its session, or came back before us, does not greet. So the server asks again by itself. */
  async function mendLoss(): Promise<void> {
    if (!connection.loss.isOpen) return;
    connection.loss.isOpen = false;
    const now = clock.now();
    try {
      await store.commit((write) => hastenAnswers(write, now, { spreadMs: HASTE_SPREAD_MS }));
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
      if (isOver()) return; // the link connects again by itself, and then this runs again
      log.error({ err: fault }, 'the broker did not take the subscriptions; the server retries');
      delay(SUBSCRIBE_RETRY_MS, () => void follow());
    }
  };
}
