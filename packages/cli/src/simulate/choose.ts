/** Which devices have which fault, and when: by the seed alone, so that a rehearsal can be repeated. */
import { createHash } from 'node:crypto';
import { UserError } from '../user-error.ts';

/** What can be wrong with a simulated device; the key is the option's name. */
export const FAULTS = {
  slow: 'take 5 to 30 s for whatever they do',
  offline: 'go away once they have joined; see --return-after',
  flapping: 'lose their connection again and again',
  failingHealth: 'do not get well with new software, and go back to the old',
  badDownloads: 'receive another file than the server sent',
  defer: 'put the activation off by a minute, once an update',
  duplicates: 'send each message twice',
} as const;
export type Fault = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as Fault[];

/** So many devices: a part of all (0 to 1), or a number of them. */
export type Share = { readonly part: number } | { readonly count: number };

/** `5%`, `0.5%` or `12`. `UserError` for anything else. */
export function parseShare(text: string, option: string): Share {
  const percent = /^(\d{1,3}(?:\.\d{1,4})?)%$/.exec(text);
  if (percent !== null && Number(percent[1]) <= 100) return { part: Number(percent[1]) / 100 };
  if (/^\d{1,9}$/.test(text)) return { count: Number(text) };
  throw new UserError(
    `"${text}" (${option}) is no share of the devices`,
    'Write a percentage or a number of devices: 5%, 0.5%, 12.',
  );
}

/** A number from 0 (included) to 1 (excluded) that is always the same for the same seed and words. */
export function drawn(seed: string, ...words: readonly (string | number)[]): number {
  const digest = createHash('sha256')
    .update([seed, ...words].join('\n'))
    .digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

/** The faults of each device, by its number from 0. Exactly as many have one as its share says. */
export function assignFaults(
  seed: string,
  devices: number,
  shares: Readonly<Partial<Record<Fault, Share>>>,
): readonly ReadonlySet<Fault>[] {
  const faults = Array.from({ length: devices }, () => new Set<Fault>());
  for (const fault of FAULT_NAMES) {
    const share = shares[fault];
    if (share === undefined) continue;
    const wanted = 'part' in share ? Math.round(devices * share.part) : share.count;
    const order = faults.map((_, device) => ({ device, place: drawn(seed, fault, device) }));
    order.sort((a, b) => a.place - b.place);
    for (const { device } of order.slice(0, wanted)) faults[device]?.add(fault);
  }
  return faults;
}
