/** How times, sizes, digests and states are written for people. */
import type { ArtifactView, DeviceView, ExchangeView, Standing } from '@srup/server';
import { UserError } from '../user-error.ts';
import type { Cell } from './output.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS = { s: SECOND, m: MINUTE, h: HOUR, d: DAY } as const;
const SHORT_DIGEST = 12;

export const NOTHING = '-';

/** "12 s ago", "in 3 min". */
export function relativeTime(at: number | undefined, now = Date.now()): string {
  if (at === undefined) return NOTHING;
  const distance = Math.abs(now - at);
  const [size, unit] =
    distance < MINUTE
      ? [SECOND, 's']
      : distance < HOUR
        ? [MINUTE, 'min']
        : distance < 2 * DAY
          ? [HOUR, 'h']
          : [DAY, 'd'];
  const count = `${Math.floor(distance / size)} ${unit}`;
  return at > now ? `in ${count}` : `${count} ago`;
}

/** Local time to the second, with the distance from UTC. */
export function exactTime(at: number): string {
  const offset = -new Date(at).getTimezoneOffset();
  const local = new Date(at + offset * MINUTE).toISOString().slice(0, 19).replace('T', ' ');
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${local} ${zone}`;
}

/** Local time of the day. */
export function clockTime(at: number): string {
  const time = new Date(at);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':');
}

export function byteCount(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'] as const;
  const step = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 2 ** (10 * step);
  return `${step === 0 ? value : value.toFixed(1)} ${units[step]}`;
}

export function shortDigest(digest: string): string {
  return digest.slice(0, SHORT_DIGEST);
}

/** A digest by the name under which it was uploaded, when it was. */
export function softwareName(digest: string, artifacts: ReadonlyMap<string, ArtifactView>): string {
  const artifact = artifacts.get(digest);
  if (artifact === undefined) return shortDigest(digest);
  const version = artifact.version === undefined ? '' : ` ${artifact.version}`;
  return `${shortDigest(digest)} (${artifact.name}${version})`;
}

/** The name that people gave, with the id that can't lie. */
export function deviceTitle({ id, name }: Pick<DeviceView, 'id' | 'name'>): string {
  return name === undefined ? id : `${name} (${id})`;
}

export function standingCell(standing: Standing): Cell {
  if (standing === 'joined') return { text: standing, style: 'green' };
  if (standing === 'pending') return { text: standing, style: 'yellow' };
  return standing === 'refused' || standing === 'failed' ? { text: standing, style: 'red' } : standing;
}

const GOOD = new Set(['active', 'done', 'answered', 'accepted', 'received', 'left']);
const BAD = new Set(['failed', 'reverted', 'refused', 'unknown', 'expired']);

export function phaseCell({ exchange: { phase } }: ExchangeView): Cell {
  if (GOOD.has(phase)) return { text: phase, style: 'green' };
  if (BAD.has(phase)) return { text: phase, style: 'red' };
  return { text: phase, style: 'yellow' };
}

/** "90s", "15m", "12h", "30d" as milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  const milliseconds = match === null ? 0 : Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  if (milliseconds > 0) return milliseconds;
  throw new UserError(
    `"${text}" is no length of time`,
    'Write a number and s, m, h or d: 90s, 15m, 12h, 30d.',
  );
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
