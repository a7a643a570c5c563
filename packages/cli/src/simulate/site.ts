import type { Clock, Random, SuiteName } from '@srup/protocol';
import type { Keep } from './keep.ts';
import type { Meter } from './meter.ts';

/** What all simulated devices share. */
export interface Site {
  /** `https://host:port` of the server. */
  readonly url: string;
  /** PEM of the CA that must have signed the server's certificate; undefined: any CA of the system. */
  readonly ca: string | undefined;
  readonly type: string;
  readonly suite: SuiteName;
  readonly code: string | undefined;
  readonly keep: Keep;
  readonly meter: Meter;
  readonly clock: Clock;
  readonly random: Random;
  readonly seed: string;
  /** How long an offline device stays away, ms; undefined: for the rest of the run. */
  readonly returnAfterMs: number | undefined;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
}
