import type { FetchOutcome } from '@srup/protocol';

/** How one try ended. `again`: another try can succeed; `cause` says how it counts if none does. */
export type Try =
  | { readonly end: 'complete' }
  | {
      readonly end: 'again';
      readonly cause: 'no-server' | 'http-error';
      readonly reason: string;
      readonly afterMs?: number;
    }
  | { readonly end: 'over'; readonly outcome: Exclude<FetchOutcome, 'ok'>; readonly reason: string };

/** Statuses by which a server asks for time or says that it failed itself: the file may be fine. */
const BUSY: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
const GONE: ReadonlySet<number> = new Set([404, 410]);
const STRONG_ETAG = /^"[\x21\x23-\x7e\x80-\xff]*"$/;
const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/;
const LENGTH = /^\d+$/;

export const over = (outcome: Exclude<FetchOutcome, 'ok'>, reason: string): Try => ({
  end: 'over',
  outcome,
  reason,
});
export const again = (cause: 'no-server' | 'http-error', reason: string): Try => ({
  end: 'again',
  cause,
  reason,
});

/** Explains an answer that brings no bytes. */
export function judgeStatus(status: number, retryAfter: string | undefined, now: number): Try {
  if (GONE.has(status)) return over('no-file', `the server has no such file (${status})`);
  if (!BUSY.has(status)) return over('http-error', `the server answered ${status}`);
  const afterMs = readRetryAfter(retryAfter, now);
  return {
    ...again('http-error', `the server answered ${status}`),
    ...(afterMs === undefined ? {} : { afterMs }),
  };
}

/** Size of the whole file in bytes, if the range begins where we asked and goes to the end; otherwise undefined. */
export function rangeTotal(contentRange: string | undefined, from: number): number | undefined {
  const parts = CONTENT_RANGE.exec(contentRange ?? '');
  if (parts === null || Number(parts[1]) !== from) return undefined;
  const end = Number(parts[2]) + 1;
  return end > from && (parts[3] === '*' || Number(parts[3]) === end) ? end : undefined;
}

/** Content-Length in bytes. */
export function readLength(text: string | undefined): number | undefined {
  return text !== undefined && LENGTH.test(text) ? Number(text) : undefined;
}

/** A strong ETag, which stands for exactly these bytes. A weak one says only that the meaning is the same. */
export function strongEtag(text: string | undefined): string | undefined {
  return text !== undefined && STRONG_ETAG.test(text) ? text : undefined;
}

/** Retry-After (seconds or a date) as milliseconds from `now`; undefined when it can't be read. */
function readRetryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = LENGTH.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
