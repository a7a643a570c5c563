/** What OpenSSL says, in the middle of a line of its log that Node.js hands on as the message. */
const OPENSSL = /:SSL routines:[^:]*:([^:]+):/;

/** Why a connection failed, in a few words on one line. */
export function connectionReason(error: unknown): string {
  // All addresses of a host failed, which has no message of its own: the first one says why.
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  if (!(inner instanceof Error)) return String(inner);
  const [, said] = OPENSSL.exec(inner.message) ?? [];
  return said === undefined ? inner.message : `TLS: ${said}`;
}
