/** DATA `srup.defer` follows an answer 1D under the same token. It says why, and until when (P 10.11). */
import type { TokenKey } from '../../token.ts';
import { encodeText, readText } from '../../wire/text.ts';
import { clip } from '../clip.ts';

export const DEFER_DATA_ID = 'srup.defer';
/** Characters of a reason that are sent and kept. */
export const MAX_REASON_LENGTH = 500;

export interface Deferral {
  readonly reason: string;
  /** When the device wants to be asked again, ms since 1970. */
  readonly until?: number;
}

export function encodeDeferral(token: TokenKey, { reason, until }: Deferral): Uint8Array {
  const shown = clip(reason, MAX_REASON_LENGTH);
  return encodeText(JSON.stringify({ token, reason: shown, ...(until !== undefined && { until }) }));
}

/** Reads a deferral; undefined if it has another form or names another token. */
export function decodeDeferral(token: TokenKey, data: Uint8Array): Deferral | undefined {
  const value = parse(data);
  if (typeof value !== 'object' || value === null) return undefined;
  const { token: named, reason, until } = value as Record<string, unknown>;
  if (named !== token || typeof reason !== 'string') return undefined;
  if (until === undefined) return { reason: clip(reason, MAX_REASON_LENGTH) };
  return Number.isSafeInteger(until)
    ? { reason: clip(reason, MAX_REASON_LENGTH), until: until as number }
    : undefined;
}

function parse(data: Uint8Array): unknown {
  const text = readText(data);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
