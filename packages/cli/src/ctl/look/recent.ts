import type { ExchangeView } from '../../client/views.ts';
import type { Api, Query } from '../../client/api.ts';

/** All kinds but data, as a device that reports every few seconds would hide the rest. */
const TOLD = ['update', 'action', 'identify', 'join', 'leave'] as const;

/** The newest exchanges, without data. */
export async function recentExchanges(api: Api, query: Query, limit: number): Promise<ExchangeView[]> {
  const kinds = TOLD.map((kind) => api.list<ExchangeView>('/exchanges', { ...query, kind }, limit));
  const all = (await Promise.all(kinds)).flat();
  return all.sort((a, b) => b.exchange.openedAt - a.exchange.openedAt).slice(0, limit);
}
