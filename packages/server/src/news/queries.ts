import type { TokenKey } from '@srup/protocol';
import { sql, type SelectQueryBuilder } from 'kysely';
import type { DeviceView } from '../api/forms/devices.ts';
import type { ExchangeView } from '../api/forms/exchanges.ts';
import type { Page, PageQuery } from '../api/forms/pages.ts';
import { limitOf, placeOf } from '../api/paging.ts';
import type { Fleet } from '../fleet-port.ts';
import { contains } from '../store/search.ts';
import { readSoftware, readSoftwareOf } from '../peers/software.ts';
import { viewData, viewDevice, viewExchangeRow, viewMessage, viewRefusal } from './views.ts';
import type { Read } from '../store/port.ts';
import { IS_NO_DATA } from '../store/schema/exchanges.ts';
import type { CoreTables } from '../store/schema/tables.ts';

type Queries = Pick<
  Fleet,
  | 'devices'
  | 'device'
  | 'software'
  | 'softwareOf'
  | 'exchanges'
  | 'exchange'
  | 'messages'
  | 'data'
  | 'refusals'
  | 'refusalCounts'
>;

/**
 * Makes what can be read of a fleet. Devices come in the order of their ids, everything else comes newest first.
 *
 * @example
 * const { rows, next } = await createQueries(store.read).devices({ type: 'pump', limit: 100 });
 */
export function createQueries(store: Read<CoreTables>): Queries {
  const devices = () =>
    store
      .selectFrom('devices')
      .innerJoin('peers', 'peers.device', 'devices.id')
      .selectAll('devices')
      .select('proven_at');

  return {
    devices: async (query) => {
      const limit = limitOf(query);
      let select = devices()
        .orderBy('devices.id')
        .limit(limit + 1);
      if (query.cursor !== undefined) select = select.where('devices.id', '>', query.cursor);
      if (query.type !== undefined) select = select.where('type', '=', query.type);
      if (query.standing !== undefined) select = select.where('standing', '=', query.standing);
      const part = query.search;
      if (part !== undefined) {
        select = select.where((where) =>
          where.or([
            contains(where.ref('devices.id'), part),
            contains(where.ref('name'), part),
            contains(where.ref('type'), part),
            contains(where.ref('running_digest'), part),
          ]),
        );
      }
      return pageOf(await select.execute(), limit, ({ id }) => id, viewDevice);
    },

    device: async (id): Promise<DeviceView | undefined> => {
      const row = await devices().where('devices.id', '=', id).executeTakeFirst();
      return row && viewDevice(row);
    },

    software: (id) => readSoftware(store, id),

    softwareOf: (ids) => readSoftwareOf(store, ids),

    exchanges: async (query) => {
      let select = store.selectFrom('exchanges').selectAll();
      if (query.device !== undefined) select = select.where('device', '=', query.device);
      if (query.kind !== undefined) select = select.where('kind', '=', query.kind);
      if (query.kind !== undefined && query.kind !== 'data') select = select.where(IS_NO_DATA);
      if (query.order !== undefined) select = select.where('order_id', '=', query.order);
      if (query.open !== undefined) select = select.where('is_open', '=', query.open ? 1 : 0);
      return newestFirst(select, query, viewExchangeRow);
    },

    exchange: (device, token) => findExchangeView(store, device, token),

    messages: async (query) => {
      let select = store.selectFrom('messages').selectAll();
      if (query.device !== undefined) select = select.where('device', '=', query.device);
      if (query.token !== undefined) {
        const devices = store.selectFrom('exchanges').select('device').where('token', '=', query.token);
        select = select.where('token', '=', query.token).where('device', 'in', devices);
      }
      return newestFirst(select, query, viewMessage);
    },

    data: async (query) => {
      let select = store.selectFrom('data').selectAll().where('device', '=', query.device);
      if (query.dataId !== undefined) select = select.where('data_id', '=', query.dataId);
      return newestFirst(select, query, viewData);
    },

    refusals: async (query) => newestFirst(store.selectFrom('refusals').selectAll(), query, viewRefusal),

    refusalCounts: async () => {
      const rows = await store.selectFrom('refusal_counts').selectAll().execute();
      return Object.fromEntries(rows.map(({ code, count }) => [code, count]));
    },
  };
}

/**
 * One exchange with what its phase means; undefined when there is none.
 *
 * @example
 * const view = await findExchangeView(store.read, device, token);
 */
export async function findExchangeView(
  read: Read<CoreTables>,
  device: string,
  token: TokenKey,
): Promise<ExchangeView | undefined> {
  const row = await read
    .selectFrom('exchanges')
    .selectAll()
    .where('device', '=', device)
    .where('token', '=', token)
    .executeTakeFirst();
  return row && viewExchangeRow(row);
}

async function newestFirst<
  Table extends 'exchanges' | 'messages' | 'data' | 'refusals',
  Row extends { id: number },
  View,
>(
  select: SelectQueryBuilder<CoreTables, Table, Row>,
  query: PageQuery,
  view: (row: Row) => View,
): Promise<Page<View>> {
  const limit = limitOf(query);
  const id = sql.ref<number>('id');
  let some = select.orderBy(id, 'desc').limit(limit + 1);
  if (query.cursor !== undefined) some = some.where(sql<boolean>`${id} < ${placeOf(query.cursor)}`);
  return pageOf(await some.execute(), limit, (row) => String(row.id), view);
}

function pageOf<Row, View>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (row: Row) => string,
  view: (row: Row) => View,
): Page<View> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit && last !== undefined;
  return { rows: shown.map(view), ...(hasMore && { next: cursorOf(last) }) };
}
