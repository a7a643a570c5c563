import type { TokenKey } from '@srup/protocol';
import type { ExchangeView } from '../api/forms/exchanges.ts';
import type { Fleet } from '../fleet-port.ts';

/**
 * Resolves with the exchange as soon as `isSettled` says so of it; every exchange ends, in time as `expired`. Rejects
 * with the signal's reason: that ends the waiting, not the exchange.
 */
export async function settle(
  fleet: Fleet,
  device: string,
  token: TokenKey,
  isSettled: (view: ExchangeView) => boolean,
  signal?: AbortSignal,
): Promise<ExchangeView> {
  let stop: () => void = () => undefined;
  // Listen first, read then: what happens in between is seen twice, and never missed.
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
