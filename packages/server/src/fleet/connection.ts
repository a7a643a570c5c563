import type { MqttArrival } from '@srup/node';
import type { FleetDeps } from './deps.ts';
import type { Sender } from './sender.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Before subscriptions that the broker refused are tried again, in milliseconds. */
const SUBSCRIBE_RETRY_MS = 5_000;

/** The link's handlers, held from the first moment. */
export interface Connection {
  isUp(): boolean;
  /** What arrived since then is taken now. */
  begin(arrive: (arrival: MqttArrival) => Promise<void>, onChange: () => void): void;
  /** Its end is ours: nobody needs to hear of it. */
  end(): void;
}

/** With a kept session messages arrive at once; they wait for `begin`, and so do their PUBACKs (P 5.3). */
export function holdLink({ link, log }: FleetDeps): Connection {
  let isUp = false;
  let changed: () => void = () => undefined;
  let release: (arrive: (arrival: MqttArrival) => Promise<void>) => void = () => undefined;
  const receiver = new Promise<(arrival: MqttArrival) => Promise<void>>((resolve) => (release = resolve));
  link.onMessage = async (arrival) => (await receiver)(arrival);
  link.onConnect = () => {
    isUp = true;
    changed();
  };
  link.onDisconnect = (reason, retryMs) => {
    log.warn({ reason, retryMs: Math.round(retryMs) }, 'the broker is away; what is owed waits');
    isUp = false;
    changed();
  };
  return {
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

/** Opens the sender only while answers can be heard. Call the result whenever the connection changed. */
export function followConnection(
  connection: Connection,
  subscriptions: Subscriptions,
  sender: Sender,
  { log, delay }: Pick<Required<FleetDeps>, 'log' | 'delay'>,
): () => Promise<void> {
  let turn = 0;
  return async function follow(): Promise<void> {
    const mine = ++turn;
    const isOver = () => mine !== turn || !connection.isUp();
    sender.shut();
    subscriptions.forget();
    if (isOver()) return;
    try {
      await subscriptions.refresh();
      if (!isOver()) sender.open();
    } catch (fault) {
      if (isOver()) return; // the link comes back by itself, and so do we
      log.error({ err: fault }, 'the broker did not take the subscriptions; they are tried again');
      delay(SUBSCRIBE_RETRY_MS, () => void follow());
    }
  };
}
