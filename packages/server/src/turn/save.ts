import type { Log } from '@srup/node';
import type { Clock } from '@srup/protocol';
import { createGrowth } from '../evidence/growth.ts';
import type { Keep } from '../evidence/trim.ts';
import type { Meter } from '../metrics/meter.ts';
import { isSealing } from '../outbox/draft.ts';
import type { Sender } from '../outbox/sender.ts';
import { sentEvidence, type Signer } from '../outbox/sign.ts';
import type { Records } from '../peers/records.ts';
import type { Store } from '../store/port.ts';
import type { Change, Outgoing } from './change.ts';
import { rowsOf } from './rows.ts';
import { writeChanges } from './write.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { decideEntries, type DeservesEntry } from '../evidence/budget.ts';

/** Timeout for sealing and signing a message whose bytes must be there before the commit, in milliseconds. */
const SEAL_TIMEOUT_MS = 5_000;

/**
 * Commits a change, and then remembers it, counts it and sends its messages. Rejects when it is not committed: with
 * `StoreFault` when the store failed. Then nothing changed, or with `OutcomeUnknown` nobody can say yet.
 */
export type Save = (change: Change) => Promise<void>;

export interface SavePorts {
  readonly store: Store<CoreTables>;
  readonly records: Pick<Records, 'keep' | 'forget'>;
  readonly signer: Signer;
  readonly sender: Pick<Sender, 'wake'>;
  /** Learns when the next timeout of an exchange is due, ms since 1970. */
  readonly timer: { nudge(at: number): void };
  readonly deservesEntry: DeservesEntry;
  readonly clock: Pick<Clock, 'now'>;
  readonly meter: Meter;
  readonly log: Log;
}

export interface SaveOptions {
  /** What is kept of one device. */
  readonly keep: Keep;
}

/**
 * Makes the one way in which turns are committed.
 *
 * @example
 * const save = createSave({ store, records, signer, sender, timer, deservesEntry, clock, meter, log }, { keep });
 * await save(change);
 */
export function createSave(
  { store, records, signer, sender, timer, deservesEntry, clock, meter, log }: SavePorts,
  { keep }: SaveOptions,
): Save {
  const growth = createGrowth(keep);

  /** A draft is stored as it is, and signed when it leaves. But one that seals must not be stored in clear. */
  async function seal({ record }: Change, outgoing: Outgoing): Promise<Outgoing> {
    const { draft, sequence, signed } = outgoing;
    if (signed !== undefined || !isSealing(draft)) return outgoing;
    return { ...outgoing, signed: await signer.sign(record.row, draft, sequence, SEAL_TIMEOUT_MS) };
  }

  function commit(change: Change): Promise<unknown> {
    const device = change.record.row.id;
    const isTrimDue = growth.add(device, change.accepted);
    // Decided before the commit, because its work can run twice.
    const sent = change.outgoing.flatMap(({ signed }) =>
      signed === undefined ? [] : [sentEvidence(device, signed, change.at)],
    );
    const rows = rowsOf(change, {
      accepted: decideEntries(change.accepted, deservesEntry),
      sent: decideEntries(sent, deservesEntry),
      trim: isTrimDue ? keep : undefined,
    });
    return store.add(writeChanges, rows, (announcements) => announcements);
  }

  /** Begins what the change leads to. After a restart all of it is found in the store again. */
  function follow({ record, outgoing, exchanges, isGreeting }: Change): void {
    if (outgoing.length > 0) sender.wake(record.row.id);
    if (isGreeting) timer.nudge(clock.now());
    for (const { wakeAt } of exchanges.values()) if (wakeAt !== undefined) timer.nudge(wakeAt);
  }

  return async (change) => {
    const device = change.record.row.id;
    try {
      change.outgoing = await Promise.all(change.outgoing.map((outgoing) => seal(change, outgoing)));
      await commit(change);
    } catch (fault) {
      records.forget(device);
      throw fault;
    }
    records.keep(change.record);
    for (const { type } of change.accepted) meter.accepted(type);
    for (const exchange of change.ended) meter.ended(exchange);
    if (change.exhausted)
      log.error({ device }, 'the sequence numbers of this pair are used up: register it anew');
    follow(change);
  };
}
