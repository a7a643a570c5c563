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

/**
 * Finds the exchange of a token with this very device. An answer of another device finds nothing (P 6.3).
 *
 * @example
 * const exchange = await findExchange(store.read, device, tokenKey(message.token));
 */
export async function findExchange(
  read: Read<CoreTables>,
  device: string,
  token: TokenKey,
): Promise<ServerExchange | undefined> {
  const [row] = (await selectExchange(read, { device, token })).rows;
  return row && readExchange(row);
}

/**
 * Finds the exchanges of a device that still wait: for the device, or for a decision about it.
 *
 * @example
 * for (const { kind, token } of await openExchanges(store.read, device)) console.log(kind, token);
 */
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

/**
 * Reads a row. The time to wake is read from its own column, because one statement can move it for many exchanges.
 *
 * @example
 * readExchange({ state: '{"kind":"action",...}', wake_at: null }); // without wakeAt
 */
export function readExchange({ state, wake_at: at }: Pick<ExchangeRow, 'state' | 'wake_at'>): ServerExchange {
  const { wakeAt: _stored, ...exchange } = JSON.parse(state) as ServerExchange;
  return at === null ? exchange : { ...exchange, wakeAt: at };
}
