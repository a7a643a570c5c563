import type { ServerExchange, TokenKey } from '@srup/protocol';
import type { Read } from '../store/port.ts';
import { prepare } from '../store/prepared.ts';
import { IS_OPEN, type ExchangeRow } from '../store/schema/exchanges.ts';
import type { CoreTables } from '../store/schema/tables.ts';

const selectExchange = prepare((read, p: { readonly device: string; readonly token: TokenKey }) =>
  read
    .selectFrom('exchanges')
    .select(['state', 'wake_at'])
    .where('device', '=', p.device)
    .where('token', '=', p.token),
);

/** The exchange of a token with this very device: an answer of another device finds nothing (P 6.3). */
export async function findExchange(
  read: Read<CoreTables>,
  device: string,
  token: TokenKey,
): Promise<ServerExchange | undefined> {
  const [row] = (await selectExchange(read, { device, token })).rows;
  return row && readExchange(row);
}

/** What is still awaited of a device, or about it. */
export async function openExchanges(
  read: Read<CoreTables>,
  device: string,
): Promise<readonly ServerExchange[]> {
  const rows = await read
    .selectFrom('exchanges')
    .select(['state', 'wake_at'])
    .where('device', '=', device)
    .where(IS_OPEN)
    .execute();
  return rows.map(readExchange);
}

/** The time to wake has a column of its own, which can be moved for many exchanges at once: only the column counts. */
export function readExchange({ state, wake_at: at }: Pick<ExchangeRow, 'state' | 'wake_at'>): ServerExchange {
  const { wakeAt: _stored, ...exchange } = JSON.parse(state) as ServerExchange;
  return at === null ? exchange : { ...exchange, wakeAt: at };
}
