/** P 2.6: SHA-256 as 64 lower-case hex digits, and nothing else. */
export function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
