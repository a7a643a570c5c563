/**
 * Tells whether a text is a SHA-256 as 64 lower-case hex digits, and nothing else (P 2.6).
 *
 * @example
 * isDigest('ab'.repeat(32)); // true
 * isDigest('AB'.repeat(32)); // false
 */
export function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
