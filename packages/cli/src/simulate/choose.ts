/** Chooses the devices that have a fault, and when. It depends on the seed alone, so that a run can be repeated. */
import { createHash } from 'node:crypto';
import { UserError } from '../user-error.ts';

/** The faults of simulated devices; the key is the name of the option. */
export const FAULTS = {
  slow: 'take 5 to 30 s for everything they do',
  offline: 'go away once they have joined; see --return-after',
  flapping: 'lose their connection again and again',
  failingHealth: 'fail the health check of new software and go back to the old',
  badDownloads: 'receive a file that differs from what the server sent',
  defer: 'defer each activation once, by a minute',
  duplicates: 'send each message twice',
} as const;
export type Fault = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as Fault[];

/** How many devices: a part of all (0 to 1), or a number. */
export type Share = { readonly part: number } | { readonly count: number };

/** `5%`, `0.5%` or `12`. `UserError` for anything else. */
export function parseShare(text: string, option: string): Share {
  const percent = /^(\d{1,3}(?:\.\d{1,4})?)%$/.exec(text);
  if (percent !== null && Number(percent[1]) <= 100) return { part: Number(percent[1]) / 100 };
  if (/^\d{1,9}$/.test(text)) return { count: Number(text) };
  throw new UserError(
    `"${text}" (${option}) is not a share of the devices`,
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

/** The faults of each device, by its number from 0. Exactly the share of the devices that was asked for has a fault. */
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
