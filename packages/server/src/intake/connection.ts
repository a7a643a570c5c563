/** What the broker's connection means for the core: what arrives while it starts waits, and answers must be heard. */
import type { Delay, Log, MqttLink } from '@srup/node';
import type { Clock } from '@srup/protocol';
import type { Sender } from '../outbox/sender.ts';
import type { Subscriptions } from '../outbox/subscriptions.ts';
import type { Store } from '../store/port.ts';
import { hastenAnswers } from '../turn/hasten.ts';
import type { Arrive } from './arrive.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Before subscriptions that the broker refused are tried again, in milliseconds. */
const SUBSCRIBE_RETRY_MS = 5_000;
/** Over which all devices are asked again, after the broker forgot us, in milliseconds. */
const HASTE_SPREAD_MS = 2_000;

/** The link's handlers, held from the first moment. */
export interface Connection {
  isUp(): boolean;
  /** The broker came without our session, and what devices said meanwhile may have gone to nobody. */
  readonly loss: { isOpen: boolean };
  /** Takes what has arrived since the first moment, and all that arrives from now on. */
  begin(arrive: Arrive, onChange: () => void): void;
  /** Its end is ours: nobody needs to hear of it. */
  end(): void;
}

/** With a kept session messages arrive at once; they wait for `begin`, and so do their PUBACKs (P 5.3). */
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
  /** Called when answers are asked for anew. */
  readonly onHastened: () => void;
  readonly clock: Pick<Clock, 'now'>;
  readonly delay: Delay;
  readonly log: Pick<Log, 'error'>;
}

/** Opens the sender only while answers can be heard. Call the result whenever the connection changed. */
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

  /** A device that kept its session, or came back before us, does not greet: nobody else would notice. */
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
      if (isOver()) return; // the link comes back by itself, and so do we
      log.error({ err: fault }, 'the broker did not take the subscriptions; they are tried again');
      delay(SUBSCRIBE_RETRY_MS, () => void follow());
    }
  };
}
