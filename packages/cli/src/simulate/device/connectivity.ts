/** Plays connections with faults: devices that go offline, or that connect again and again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connectMqtt, type MqttLink, type MqttOptions } from '@srup/node';
import { drawn, type Fault } from '../choose.ts';
import type { Site } from '../site.ts';

/** How long a flapping connection lasts and how long it is gone, ms. */
const UP_MS = { least: 10_000, most: 60_000 };
const DOWN_MS = { least: 1_000, most: 10_000 };
/** Time between two looks at whether a device can go offline. */
const LOOK_MS = 100;

export interface Switch {
  up(): Promise<void>;
  down(): Promise<void>;
  /** Whether it has joined, has identified itself and has nothing left to send. */
  isSettled(): boolean;
}

/** Plays the faults of one device. Resolves when there are no more, or at the signal. */
export async function misbehave(
  { seed, returnAfterMs }: Site,
  device: number,
  faults: ReadonlySet<Fault>,
  connection: Switch,
  signal: AbortSignal,
): Promise<void> {
  let turns = 0;
  const pause = (ms: number) => sleep(ms, undefined, { signal });
  const within = ({ least, most }: typeof UP_MS) =>
    least + (most - least) * drawn(seed, 'flapping', device, turns++);
  try {
    if (faults.has('offline')) {
      while (!connection.isSettled()) await pause(LOOK_MS);
      await connection.down();
      if (returnAfterMs === undefined) return;
      await pause(returnAfterMs);
      await connection.up();
    }
    while (faults.has('flapping')) {
      await pause(within(UP_MS));
      await connection.down();
      await pause(within(DOWN_MS));
      await connection.up();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Sends every message twice, as a network does that lost the acknowledgement. */
export function openDoublingLink(options: MqttOptions): MqttLink {
  const link = connectMqtt(options);
  const publish = link.publish.bind(link);
  link.publish = async (topic, bytes) => {
    await publish(topic, bytes);
    await publish(topic, bytes);
  };
  return link;
}
