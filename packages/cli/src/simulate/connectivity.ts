/** Devices whose connection is not what it should be: away, or coming and going. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connectMqtt, type MqttLink, type MqttOptions } from '@srup/node';
import { drawn, type Fault } from './choose.ts';
import type { Site } from './site.ts';

/** Flapping: how long the connection holds and how long it is gone, ms. */
const UP_MS = { least: 10_000, most: 60_000 };
const DOWN_MS = { least: 1_000, most: 10_000 };
/** To look whether a device may go away yet. */
const LOOK_MS = 100;

export interface Switch {
  up(): Promise<void>;
  down(): Promise<void>;
  /** It is joined, has said what it is, and has nothing left to say. */
  isSettled(): boolean;
}

/** Resolves when the device has no more of this in it, or at the signal. */
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

/** Every message twice, as a network does that lost the acknowledgement. */
export function openDoublingLink(options: MqttOptions): MqttLink {
  const link = connectMqtt(options);
  const publish = link.publish.bind(link);
  link.publish = async (topic, bytes) => {
    await publish(topic, bytes);
    await publish(topic, bytes);
  };
  return link;
}
