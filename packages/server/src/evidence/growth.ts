import type { Keep } from './trim.ts';

/** Trim a device after it has added this fraction of its limit. It can exceed the limit by that much. */
const FRACTION = 1 / 20;

interface Added {
  readonly messages: number;
  readonly bytes: number;
}

/** Counts what devices make the server keep, so that the limits are enforced now and then, not with every message. */
export interface Growth {
  /** Counts what a change adds. True: it is time to trim what is kept of this device. */
  add(device: string, accepted: readonly { readonly bytes: Uint8Array }[]): boolean;
}

export function createGrowth(keep: Keep): Growth {
  const added = new Map<string, Added>();
  return {
    add: (device, accepted) => {
      const before = added.get(device) ?? { messages: 0, bytes: 0 };
      const messages = before.messages + accepted.length;
      const bytes = accepted.reduce((sum, message) => sum + message.bytes.length, before.bytes);
      const isDue = messages >= keep.rows * FRACTION || bytes >= keep.bytes * FRACTION;
      if (isDue) added.delete(device);
      else if (accepted.length > 0) added.set(device, { messages, bytes });
      return isDue;
    },
  };
}
