import type { DeviceMemory, DeviceState, DeviceStep, Moment, TokenKey } from '@srup/protocol';
import type { Store } from '../vault/store.ts';
import * as records from './records.ts';

/** What follows from one input, to be committed as a whole. */
export interface Entry {
  readonly step: DeviceStep;
  /** The moment of the input. */
  readonly moment: Moment;
  /** Numbers and window of the server after it (P 5.1, 5.3). */
  readonly peer: records.PeerRecord;
  /** Signed messages that the step sends. */
  readonly outgoing: readonly records.OutboxEntry[];
  /** Numbers of messages that are not to be sent any more. */
  readonly unsaid: readonly number[];
}

/** What the device must not forget of its conversations. A commit changes it on the disk, and then in memory. */
export interface Ledger {
  readonly state: DeviceState;
  readonly memory: DeviceMemory;
  readonly peer: records.PeerRecord;
  /** All or nothing, durable when it resolves. `StoreError`: nothing changed. One at a time. */
  commit(entry: Entry): Promise<void>;
  /** The broker has this message: it leaves the store with the next commit. */
  crossOff(n: number): void;
  /** Makes a commit for the messages that were crossed off; none if there are none. */
  readonly flush: () => Promise<void>;
}

export interface LedgerOptions {
  readonly store: Store;
  /** Names this start of the system; undefined where it has no name. */
  readonly bootId: string | undefined;
  /** The latest time that was believed, ms since 1970. */
  readonly clockFloor: () => number;
}

/** Continues with what the store has. */
export function createLedger({ store, bootId, clockFloor }: LedgerOptions): Ledger {
  const memory = records.readMemory(store);
  const sent = new Set<number>();
  let state = records.readState(store);
  let peer = records.readPeer(store);
  /** The memory has dropped these tokens and the store still has them: to know too much does no harm. */
  let forgotten: readonly TokenKey[] = [];

  async function write(changes: records.PendingChanges, unsaid: readonly number[]): Promise<void> {
    const crossedOff = [...sent];
    for (const n of [...crossedOff, ...unsaid]) records.removeOutgoing(changes, n);
    if (changes.size === 0) return;
    records.writeClockFloor(changes, clockFloor());
    if (bootId !== undefined) records.writeBoot(changes, bootId);
    await store.commit(changes);
    for (const n of crossedOff) sent.delete(n);
  }

  return {
    memory,
    get state() {
      return state;
    },
    get peer() {
      return peer;
    },
    commit: async ({ step, moment, peer: nextPeer, outgoing, unsaid }) => {
      const changes: records.PendingChanges = new Map();
      records.removeForgotten(changes, forgotten);
      records.writeFinished(changes, step.finished);
      records.writeState(changes, state, step.state);
      if (nextPeer !== peer) records.writePeer(changes, nextPeer);
      for (const message of outgoing) records.writeOutgoing(changes, message);
      await write(changes, unsaid);
      state = step.state;
      peer = nextPeer;
      forgotten = memory.remember(step.finished, moment);
    },
    crossOff: (n) => sent.add(n),
    flush: () => write(new Map(), []),
  };
}
