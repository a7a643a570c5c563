import type { Log } from '@srup/node';
import { decode, identityText, tokenKey, type Clock, type FaultCode } from '@srup/protocol';

/** Refused messages since the start, by code. */
export type RefusalCounts = Readonly<Partial<Record<FaultCode, number>>>;

export interface Refusals {
  /** Counts the refusal and logs the sender that the message names (nothing proves it), and never a body. */
  note(code: FaultCode, bytes: Uint8Array): void;
  counts(): RefusalCounts;
}

/** Characters of a token in a log. */
const TOKEN_PREFIX = 13;
/** Lines a minute: a flood of forged messages must not fill the disk with lines. */
const LINES_PER_MINUTE = 20;
const MINUTE_MS = 60_000;

export function createRefusals(log: Log, clock: Clock): Refusals {
  const counts: Partial<Record<FaultCode, number>> = {};
  let minute = -Infinity;
  let lines = 0;
  return {
    counts: () => ({ ...counts }),
    note: (code, bytes) => {
      counts[code] = (counts[code] ?? 0) + 1;
      if (clock.monotonic() - minute > MINUTE_MS) {
        minute = clock.monotonic();
        lines = 0;
      }
      if (++lines > LINES_PER_MINUTE) return;
      const last = lines === LINES_PER_MINUTE ? '; the next ones of this minute are only counted' : '';
      log.warn({ code, ...describe(bytes) }, `message refused${last}`);
    },
  };
}

function describe(bytes: Uint8Array): object {
  const decoded = decode(bytes);
  if (!decoded.ok) return { bytes: bytes.length };
  const { type, sender, token } = decoded.value.message;
  return { type, sender: identityText(sender), token: tokenPrefix(tokenKey(token)) };
}

export function tokenPrefix(token: string): string {
  return token.slice(0, TOKEN_PREFIX);
}
