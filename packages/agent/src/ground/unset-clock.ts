import type { Log } from '@srup/node';
import type { Clock } from '@srup/protocol';

const warned = new WeakSet<Log>();

/** Warns once for each log that the dates of certificates are not checked with this clock. */
export function warnOfClock(log: Log, clock: Clock): void {
  if (warned.has(log)) return;
  warned.add(log);
  log.warn(
    { clock: new Date(clock.now()).toISOString() },
    'THE CLOCK OF THIS DEVICE IS NOT SET: a certificate of the server that has expired is accepted',
  );
}
