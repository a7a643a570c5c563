/** Writes times, sizes and digests for people. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SHORT_DIGEST = 12;

export const NOTHING = '-';

/** A time relative to now: "12 s ago", "in 3 min". */
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

/** Local time to the second, with the offset from UTC. */
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

function two(value: number): string {
  return String(value).padStart(2, '0');
}
