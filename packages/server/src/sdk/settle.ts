import type { TokenKey } from '@srup/protocol';
import type { ExchangeView } from '../api/forms/exchanges.ts';
import type { Fleet } from '../fleet-port.ts';

/**
 * Waits until `isSettled` is true for an exchange, and resolves with it. Every exchange ends, at the latest by its
 * timeout as `expired`. Rejects with the reason of the signal: that ends the waiting, and not the exchange.
 *
 * @example
 * const { exchange } = await settle(fleet, device, token, ({ isFinal }) => isFinal);
 */
export async function settle(
  fleet: Fleet,
  device: string,
  token: TokenKey,
  isSettled: (view: ExchangeView) => boolean,
  signal?: AbortSignal,
): Promise<ExchangeView> {
  let stop: () => void = () => undefined;
  // Listens first and reads then: what happens in between is seen twice, and never missed.
  const heard = new Promise<ExchangeView>((resolve, reject) => {
    const stopWatching = fleet.watch((event) => {
      if (event.kind !== 'exchange') return;
      const { change } = event;
      if (change.device === device && change.exchange.token === token && isSettled(change)) resolve(change);
    });
    const giveUp = () => {
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', giveUp);
    stop = () => {
      stopWatching();
      signal?.removeEventListener('abort', giveUp);
    };
  });
  heard.catch(() => undefined); // nobody may wait for it any more
  try {
    signal?.throwIfAborted();
    const now = await fleet.exchange(device, token);
    return now !== undefined && isSettled(now) ? now : await heard;
  } finally {
    stop();
  }
}
