import { sql } from 'kysely';
import type { MqttLink } from '@srup/node';
import { joinFilter, type Identity } from '@srup/protocol';
import type { Standing } from '@srup/protocol';
import type { Read } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Devices subscribed to at once at the start. */
const DEVICES_AT_ONCE = 500;
/** Whose messages are awaited on a topic of their own; of the others only the wish to join is (P 7.2). */
const HEARD: readonly Standing[] = ['pending', 'joined', 'resigned', 'terminated'];

export interface Subscriptions {
  /** The server's own topic and those of all its devices. Rejects when the link fails. */
  refresh(): Promise<void>;
  /** Before anything is sent to a device: its answer would come on that topic. */
  ensure(device: string): Promise<void>;
  /** After it left for good. */
  release(device: string): Promise<void>;
  /** The broker may have forgotten them. */
  forget(): void;
}

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
            // It left for good, and our last answer is on its way.
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
      // Last: the embedded broker lets devices in from here on, and each of them is heard.
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

/** The topic of a device, as `deviceTopic` writes it, from an identity that is text already. */
export function topicOf(device: string): string {
  return `SRUP/${device}`;
}
