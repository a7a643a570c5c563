import type { Keep } from './trim.ts';

/** A device is looked at when it has added this part of what is kept of it: so much it may be over its limits. */
const PART = 1 / 20;

interface Added {
  readonly messages: number;
  readonly bytes: number;
}

/** Counts what devices make us keep, so that the limits are enforced now and then and not with every message. */
export interface Growth {
  /** True when it is time to trim what is kept of this device. */
  add(device: string, accepted: readonly { readonly bytes: Uint8Array }[]): boolean;
}

export function createGrowth(keep: Keep): Growth {
  const added = new Map<string, Added>();
  return {
    add: (device, accepted) => {
      const before = added.get(device) ?? { messages: 0, bytes: 0 };
      const messages = before.messages + accepted.length;
      const bytes = accepted.reduce((sum, message) => sum + message.bytes.length, before.bytes);
      const isDue = messages >= keep.rows * PART || bytes >= keep.bytes * PART;
      if (isDue) added.delete(device);
      else if (accepted.length > 0) added.set(device, { messages, bytes });
      return isDue;
    },
  };
}
