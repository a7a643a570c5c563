/** What the protocol's users take from outside. The real ones are in @srup/node, the ones for tests in ./testing. */

export interface Clock {
  /** Milliseconds since 1970. It can step, so never measure with it. */
  now(): number;
  /** Milliseconds from an unknown origin. They never decrease, so measure with them. */
  monotonic(): number;
  /** False until the clock is known to be set. Until then no token is refused for its age (P 6.2). */
  isTrusted(): boolean;
}

export interface Random {
  /** Unpredictable bytes. */
  bytes(count: number): Uint8Array;
  /** A number from 0 (included) to 1 (excluded), for jitter only. */
  unit(): number;
}
