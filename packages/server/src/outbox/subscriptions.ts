import { sql } from 'kysely';
import type { MqttLink } from '@srup/node';
import { joinFilter, type Identity } from '@srup/protocol';
import type { Standing } from '@srup/protocol';
import type { Read } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Devices in one subscription at the start. */
const DEVICES_AT_ONCE = 500;
/** Devices with these standings are heard on their own topic. The others can only ask to join (P 7.2). */
const HEARD: readonly Standing[] = ['pending', 'joined', 'resigned', 'terminated'];

export interface Subscriptions {
  /** Subscribes to the topic of joins and to those of all devices that are heard. Rejects when the link fails. */
  refresh(): Promise<void>;
  /** Subscribes to a device's topic. Call it before anything is sent to it: its answer comes on that topic. */
  ensure(device: string): Promise<void>;
  /** Ends the subscription of a device that left for good. */
  release(device: string): Promise<void>;
  /** Forgets what is subscribed. Call it when the broker may have lost it. */
  forget(): void;
}

/**
 * Makes the subscriptions of the server `self`. They are renewed by `refresh`.
 *
 * @example
 * await createSubscriptions(store.read, link, serverId).refresh();
 */
export function createSubscriptions(store: Read<CoreTables>, link: MqttLink, self: Identity): Subscriptions {
  const held = new Set<string>();

  async function subscribe(devices: readonly string[]): Promise<void> {
    if (devices.length === 0) return;
    await link.subscribe(devices.map(topicOf));
    for (const device of devices) held.add(device);
  }

  async function subscribeKnown(): Promise<void> {
    let after = '';
    for (;;) {
      const rows = await store
        .selectFrom('devices')
        .select('id')
        .where('id', '>', after)
        .where((where) =>
          where.or([
            where('standing', 'in', HEARD),
            // It left for good, and its errand is left: our last answer is on its way.
            where.exists(
              where
                .selectFrom('errands')
                .select('errands.id')
                .where(sql<boolean>`errands.owner = 'device/' || devices.id`),
            ),
          ]),
        )
        .orderBy('id')
        .limit(DEVICES_AT_ONCE)
        .execute();
      await subscribe(rows.map(({ id }) => id));
      const last = rows.at(-1);
      if (last === undefined || rows.length < DEVICES_AT_ONCE) return;
      after = last.id;
    }
  }

  return {
    refresh: async () => {
      await subscribeKnown();
      // Last, because the embedded broker lets devices in from here on, and each of them must be heard.
      await link.subscribe([joinFilter(self)]);
    },
    ensure: async (device) => {
      if (!held.has(device)) await subscribe([device]);
    },
    release: async (device) => {
      if (held.delete(device)) await link.unsubscribe([topicOf(device)]);
    },
    forget: () => {
      held.clear();
    },
  };
}

/**
 * The topic of a device, as `deviceTopic` writes it, for an identity that is text already.
 *
 * @example
 * topicOf('27ab54d670b64be2'); // 'SRUP/27ab54d670b64be2'
 */
export function topicOf(device: string): string {
  return `SRUP/${device}`;
}
