import { parseDuration } from '../../screen/parse.ts';

/** The part of a request that says when it expires, from a time like "90d"; empty: never. */
export function expiry(expiresIn: string | undefined): { expiresAt?: number } {
  return expiresIn === undefined ? {} : { expiresAt: Date.now() + parseDuration(expiresIn) };
}
