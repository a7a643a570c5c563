/** What the protocol's users take from outside. Real ones live in @srup/node, seeded ones in ./testing. */

export interface Clock {
  /** Milliseconds since 1970. It may step: never measure with it. */
  now(): number;
  /** Milliseconds that only grow, from an unknown origin. */
  monotonic(): number;
  /** False until the clock is known to be set; then no token is refused for its age (P 6.2). */
  isTrusted(): boolean;
}

export interface Random {
  /** Unpredictable bytes. */
  bytes(count: number): Uint8Array;
  /** A number from 0 (included) to 1 (excluded), for jitter only. */
  unit(): number;
}
