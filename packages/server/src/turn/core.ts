import type { Moment, ServerExchange, ServerFacts, TokenKey } from '@srup/protocol';
import type { JoinPolicies } from '../joindesk/policies.ts';
import type { DeservesEntry } from '../evidence/messages.ts';
import { IS_OPEN } from '../store/migrations.ts';
import { prepare } from '../store/prepared.ts';
import { trimDevice } from '../evidence/trim.ts';
import type { Change } from './change.ts';
import type { FleetDeps } from './deps.ts';
import type { Events } from '../news/events.ts';
import { createGrowth } from '../evidence/growth.ts';
import type { Lanes } from './lanes.ts';
import type { DeviceRecord, Records } from '../peers/records.ts';
import { writeChange } from './write.ts';

/** What every way into the core shares: messages that arrive, commands, decisions, time. */
export interface Core extends Required<FleetDeps> {
  readonly lanes: Lanes;
  readonly records: Records;
  readonly policies: JoinPolicies;
  readonly events: Events;
  readonly deservesEntry: DeservesEntry;
  /** Told after a commit, so that what is owed gets done. */
  readonly committed: (change: Change) => void;
}

export function momentOf({ clock, random }: Core): Moment {
  return { now: clock.now(), trusted: clock.isTrusted(), random: random.unit() };
}

export function factsOf({ policies }: Core, { row }: DeviceRecord): ServerFacts {
  return {
    confirms: row.confirms === 1,
    joinVerdict: policies.verdictFor(row.type),
    joined: row.standing === 'joined',
    takesData: () => true,
  };
}

const selectExchange = prepare((store, p: { readonly device: string; readonly token: TokenKey }) =>
  store.selectFrom('exchanges').select('state').where('device', '=', p.device).where('token', '=', p.token),
);

/** The exchange of a token with this very device: an answer of another device finds nothing (P 6.3). */
export async function findExchange(
  { store }: Core,
  device: string,
  token: TokenKey,
): Promise<ServerExchange | undefined> {
  const [row] = (await selectExchange(store.read, { device, token })).rows;
  return row && (JSON.parse(row.state) as ServerExchange);
}

/** What is still awaited of a device, or about it. */
export async function openExchanges({ store }: Core, device: string): Promise<readonly ServerExchange[]> {
  const rows = await store.read
    .selectFrom('exchanges')
    .select('state')
    .where('device', '=', device)
    .where(IS_OPEN)
    .execute();
  return rows.map(({ state }) => JSON.parse(state) as ServerExchange);
}

/** Commits a change; only then is it remembered, told and acted upon. Rejects with StoreFault: nothing changed. */
export type Save = (change: Change) => Promise<void>;

export function createSave(core: Core): Save {
  const growth = createGrowth(core.keep);
  return async (change) => {
    const device = change.record.row.id;
    const isTrimDue = growth.add(device, change.accepted);
    let lastEvent: number | undefined;
    try {
      lastEvent = await core.store.commit(async (transaction) => {
        const last = await writeChange(transaction, change, core.deservesEntry);
        if (isTrimDue) await trimDevice(transaction, device, core.keep, change.at);
        return last;
      });
    } catch (fault) {
      core.records.forget(device);
      throw fault;
    }
    core.records.keep(change.record);
    for (const { type } of change.accepted) core.meter.accepted(type);
    for (const exchange of change.ended) core.meter.ended(exchange);
    if (lastEvent !== undefined) core.events.tell(lastEvent);
    if (change.exhausted)
      core.log.error({ device }, 'the sequence numbers of this pair are used up: register it anew');
    core.committed(change);
  };
}
