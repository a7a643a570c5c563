/** The statements that write changes, each for all rows at one go. */
import { CORE_CATALOGUE, columnsWithout } from '../store/catalogue.ts';
import type { Write } from '../store/port.ts';
import { prepareRows, type Given } from '../store/rows.ts';
import type { DeviceRow, PeerRow } from '../store/schema/devices.ts';
import type { ErrandRow } from '../store/schema/errands.ts';
import type { ExchangeRow } from '../store/schema/exchanges.ts';
import type { JoinDecisionRow } from '../store/schema/joins.ts';
import type { DataRow } from '../store/schema/messages.ts';
import type { OutboxRow } from '../store/schema/outbox.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import type { New } from './rows.ts';

const DEVICE = CORE_CATALOGUE.devices.columns;

export const insertDevices = prepareRows(DEVICE, (write: Write<CoreTables>, given: Given<DeviceRow>) =>
  write.insertInto('devices').columns(given.columns).expression(given.rows),
);

export const updateDevices = prepareRows(DEVICE, (write: Write<CoreTables>, given: Given<DeviceRow>) =>
  write
    .updateTable('devices')
    .from(given.table)
    .set((set) => ({
      name: set.ref('given.name'),
      type: set.ref('given.type'),
      suite: set.ref('given.suite'),
      public_pem: set.ref('given.public_pem'),
      seal_pem: set.ref('given.seal_pem'),
      standing: set.ref('given.standing'),
      confirms: set.ref('given.confirms'),
      identification: set.ref('given.identification'),
      running_digest: set.ref('given.running_digest'),
      running_at: set.ref('given.running_at'),
      running_token: set.ref('given.running_token'),
      running_ordered_at: set.ref('given.running_ordered_at'),
      staged_digest: set.ref('given.staged_digest'),
      staged_at: set.ref('given.staged_at'),
      staged_token: set.ref('given.staged_token'),
      first_seen_at: set.ref('given.first_seen_at'),
    }))
    .whereRef('devices.id', '=', 'given.id'),
);

const PEER = CORE_CATALOGUE.peers.columns;

export const insertPeers = prepareRows(PEER, (write: Write<CoreTables>, given: Given<PeerRow>) =>
  write.insertInto('peers').columns(given.columns).expression(given.rows),
);

export const updatePeers = prepareRows(PEER, (write: Write<CoreTables>, given: Given<PeerRow>) =>
  write
    .updateTable('peers')
    .from(given.table)
    .set((set) => ({
      sent: set.ref('given.sent'),
      highest: set.ref('given.highest'),
      seen: set.ref('given.seen'),
      proven_at: set.ref('given.proven_at'),
    }))
    .whereRef('peers.device', '=', 'given.device'),
);

/** Returns the order that began each exchange: one that is there already keeps its own. */
export const upsertExchanges = prepareRows(
  columnsWithout('id', CORE_CATALOGUE.exchanges),
  (write: Write<CoreTables>, given: Given<New<ExchangeRow>>) =>
    write
      .insertInto('exchanges')
      .columns(given.columns)
      .expression(given.rows)
      .onConflict((conflict) =>
        conflict.columns(['device', 'token']).doUpdateSet((set) => ({
          phase: set.ref('excluded.phase'),
          is_open: set.ref('excluded.is_open'),
          state: set.ref('excluded.state'),
          wake_at: set.ref('excluded.wake_at'),
          updated_at: set.ref('excluded.updated_at'),
        })),
      )
      .returning(['device', 'token', 'order_id']),
);

export const insertData = prepareRows(
  columnsWithout('id', CORE_CATALOGUE.data),
  (write: Write<CoreTables>, given: Given<New<DataRow>>) =>
    write.insertInto('data').columns(given.columns).expression(given.rows),
);

export const insertDecisions = prepareRows(
  columnsWithout('id', CORE_CATALOGUE.join_decisions),
  (write: Write<CoreTables>, given: Given<New<JoinDecisionRow>>) =>
    write.insertInto('join_decisions').columns(given.columns).expression(given.rows),
);

export const insertOutgoing = prepareRows(
  columnsWithout('id', CORE_CATALOGUE.outbox),
  (write: Write<CoreTables>, given: Given<New<OutboxRow>>) =>
    write.insertInto('outbox').columns(given.columns).expression(given.rows),
);

export const insertErrands = prepareRows(
  columnsWithout('id', CORE_CATALOGUE.errands),
  (write: Write<CoreTables>, given: Given<New<ErrandRow>>) =>
    write.insertInto('errands').columns(given.columns).expression(given.rows),
);
