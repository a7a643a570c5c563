/** The words of OpenSSL, in the middle of a line of its log. Node.js passes that line on as the message. */
const OPENSSL = /:SSL routines:[^:]*:([^:]+):/;

/**
 * Says in a few words, on one line, why a connection failed.
 *
 * @example
 * connectionReason(error); // 'connect ECONNREFUSED 127.0.0.1:8883'
 */
export function connectionReason(error: unknown): string {
  // An error for all addresses of a host has no message of its own. The first address says why.
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  if (!(inner instanceof Error)) return String(inner);
  const [, said] = OPENSSL.exec(inner.message) ?? [];
  return said === undefined ? inner.message : `TLS: ${said}`;
}
