import type { Clock, Identity, Random, SignKey, SuiteName } from '@srup/protocol';
import type { MqttLink } from '@srup/node';
import type { IdentityDirectory } from '../contract.ts';
import type { FleetTables } from '../store/tables.ts';
import type { Meter } from '../metrics/meter.ts';
import type { Keep } from '../evidence/trim.ts';
import type { Store } from '../store/port.ts';

/** pino's form. Never bodies, keys, nonces; tokens by their first characters. */
export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Calls `ring` once after so many milliseconds; returns how to call it off. */
export type Delay = (ms: number, ring: () => void) => () => void;

/** What the C2 core is made from. */
export interface FleetDeps {
  readonly store: Store<FleetTables>;
  readonly serverId: Identity;
  /** The server's key of each suite: to a device it signs with the one of the device's suite (P 4.1). */
  readonly keys: Readonly<Record<SuiteName, SignKey>>;
  readonly directory: IdentityDirectory;
  /** Its three handlers are the core's own from now on. */
  readonly link: MqttLink;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of one device; `KEPT_PER_DEVICE` unless told. */
  readonly keep?: Keep;
  /** Nothing is counted unless told. */
  readonly meter?: Meter;
  /** Real time, unless a test turns the clock itself. */
  readonly delay?: Delay;
}

/** Never keeps the process alive by itself. */
export const realDelay: Delay = (ms, ring) => {
  const timer = setTimeout(ring, ms).unref();
  return () => {
    clearTimeout(timer);
  };
};

/** First characters of a token: enough to find it, too few to use it. */
export function tokenPrefix(token: string): string {
  return token.slice(0, 13);
}
