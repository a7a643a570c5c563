import { tokenOfKey, tokenTime, type TokenKey } from '../token.ts';
import type { Moment } from './step.ts';

/**
 * P 6.2: a command that was held back for long is not obeyed. Only UUIDv7 tokens have an age. Only a clock that is
 * known to be set can judge it: an unset clock never blocks a command.
 */
export function isTooOld(token: TokenKey, limitMs: number, { now, trusted }: Moment): boolean {
  if (!trusted) return false;
  const made = tokenTime(tokenOfKey(token));
  return made !== undefined && now - made > limitMs;
}
