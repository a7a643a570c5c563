/**
 * The device's conversations with its server, made durable: every input in one queue, and for each of them
 * `step -> number, seal, sign -> one commit -> acknowledge -> send and perform`. What a crash interrupts is owed
 * after the restart, and nothing that was not committed was ever told to anybody.
 */
import { newToken, type MqttArrival } from '@srup/node';
import {
  compose,
  deviceForbids,
  initialDevice,
  isActionStale,
  isProgramDataId,
  MAX_MESSAGE_BYTES,
  nextSequence,
  nextWake,
  receive,
  resumeDevice,
  screen,
  stepDevice,
  tokenKey,
  tokenTime,
  topicFromDevice,
  type Clock,
  type DeviceFacts,
  type DeviceInput,
  type DeviceState,
  type DeviceStep,
  type FaultCode,
  type Identity,
  type MessageType,
  type Peer,
  type Random,
  type ReplayWindow,
  type SignKey,
  type TokenKey,
  type VerifyKey,
} from '@srup/protocol';
import { ANSWER_GRACE_MS, type Performers, type ProgramReport } from '../contract.ts';
import type { Log } from '../log.ts';
import { reasonOf } from '../trouble.ts';
import { StoreError, type Store } from '../vault/store.ts';
import { makeAlarm } from './alarm.ts';
import { makeOutbox, type Outbox } from './outbox.ts';
import { makeWorkshop } from './perform.ts';
import * as records from './records.ts';
import { makeRefusals, tokenPrefix, type RefusalCounts } from './refusals.ts';
import { makeWatch } from './watch.ts';

/** What the engine tells those around it; after the commit, always. */
export type EngineEvent =
  | { readonly what: 'accepted'; readonly type: MessageType; readonly token: TokenKey }
  | { readonly what: 'refused'; readonly code: FaultCode }
  | { readonly what: 'join'; readonly phase: DeviceState['join']['phase'] }
  /** The identity is to be forgotten (P 10.8); what had to be said was sent, as far as it could be. */
  | { readonly what: 'dropped' };

export interface EngineOptions {
  readonly self: Identity;
  readonly server: Identity;
  readonly serverKey: VerifyKey;
  readonly signKey: SignKey;
  readonly store: Store;
  readonly performers: Performers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** This start of the system, when it can be told. */
  readonly bootId: string | undefined;
  readonly facts: () => DeviceFacts;
  readonly onEvent: (event: EngineEvent) => void;
}

export interface Engine {
  /** Performs what is owed and, unless this device left, asks to join. */
  start(): Promise<void>;
  /** For the transport: acknowledge when it resolves, deliver again when it rejects. */
  readonly receive: (arrival: MqttArrival) => Promise<void>;
  readonly report: ProgramReport;
  join(): Promise<void>;
  /** The broker lost our session: let the server know that we listen again. */
  greet(): Promise<void>;
  leave(what: 'resign' | 'deregister'): Promise<void>;
  readonly outbox: Pick<Outbox, 'connect'>;
  view(): EngineView;
  /** Ends what runs; what is unfinished is owed at the next start. */
  stop(): Promise<void>;
}

export interface EngineView {
  readonly join: DeviceState['join'];
  readonly open: DeviceState['open'];
  readonly refusals: RefusalCounts;
  /** Messages that the broker does not have yet. */
  readonly waiting: number;
  /** When the server was last proven to have spoken, ms since 1970. */
  readonly heardAt?: number;
}

/** Bounds of what waits to be sent, for reports; answers are always taken. */
const MAX_WAITING = 1_000;
const MAX_WAITING_BYTES = 2 ** 20;
/** For the next commit to come by itself, before sent messages get one of their own. */
const CROSS_OFF_MS = 1_000;
/** Bytes of a message beside data id and data: header, token, the longest signature. */
const MESSAGE_OVERHEAD = 4_000;

export function makeEngine(options: EngineOptions): Engine {
  const { self, server, serverKey, signKey, store, clock, random, log, onEvent } = options;
  let state = records.readState(store, initialDevice());
  let peer = records.readPeer(store);
  const rebooted =
    options.bootId !== undefined && (records.readBoot(store) ?? options.bootId) !== options.bootId;
  const watch = makeWatch(clock, random, records.readClockFloor(store));
  const refusals = makeRefusals(log, () => clock.monotonic());
  const acknowledged = new Set<number>();
  let crossingOff: NodeJS.Timeout | undefined;
  const outbox = makeOutbox(records.readOutbox(store), forgetSent, log);
  const alarm = makeAlarm(clock, () => inTurn(() => take({ on: 'time' })));
  const workshop = makeWorkshop({
    ...{ performers: options.performers, log },
    tell: (input) => inTurn(() => take(input)),
    isStale: (token) => isActionStale(token, watch.moment()),
    answered: (token) => outbox.sent(ANSWER_GRACE_MS, token),
  });
  let stopped = false;

  // ------------------------------------------------------------ one thing after another

  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(task: () => Promise<T>): Promise<T> {
    const mine = last.then(() => {
      if (stopped) throw new StoreError('the agent is stopping');
      return task();
    });
    last = mine.catch(() => undefined);
    return mine;
  }

  // ------------------------------------------------------------ in

  /** P 9.7: no other sender is known, so no other is obeyed. */
  function findPeer(sender: Identity): Peer | undefined {
    if (sender !== server) return undefined;
    return {
      key: serverKey,
      window: peer.window,
      sent: peer.sent,
      joinToken: state.join.phase === 'asking' ? state.join.token : undefined,
      forbids: (type) => deviceForbids(state, type),
    };
  }

  async function takeArrival(arrival: MqttArrival): Promise<void> {
    const { bytes } = arrival;
    const screened = screen(arrival, { role: 'device', self });
    const result = screened.ok ? receive(screened.value, findPeer(screened.value.message.sender)) : screened;
    if (!result.ok) {
      note(result.code, bytes);
      return;
    }
    const fresh = result.value;
    const { type, token } = fresh.message;
    const step = stepDevice(state, { on: 'message', message: fresh }, watch.moment(), options.facts());
    // An answer carries a token of this device: its own clock, which proves nothing to itself.
    if (type !== 'RESPONSE') watch.heard(tokenTime(token));
    await settle(step, fresh.window);
    if (step.refused !== undefined) note(step.refused, bytes);
    else onEvent({ what: 'accepted', type, token: tokenKey(token) });
  }

  function note(code: FaultCode, bytes: Uint8Array): void {
    if (code === 'AUTH_OWN') return; // the echo of what this device said (P 5.5)
    refusals.note(code, bytes);
    onEvent({ what: 'refused', code });
  }

  function take(input: DeviceInput): Promise<void> {
    return settle(stepDevice(state, input, watch.moment(), options.facts()));
  }

  // ------------------------------------------------------------ one commit

  /** Commits a step with the window of its message (P 5.3) and the bytes it sends (P 5.1), then lets it have effect. */
  async function settle(step: DeviceStep, window?: ReplayWindow): Promise<void> {
    const heard = window === undefined ? {} : { window, heardAt: clock.now() };
    let nextPeer: records.PeerRecord = { ...peer, ...heard };
    const outgoing: records.OutboxEntry[] = [];
    for (const effect of step.effects) {
      if (effect.do !== 'send') continue;
      const sequence = numberAfter(nextPeer);
      if (sequence === undefined) continue;
      const { bytes } = await compose(effect.draft, sequence, self, { id: server }, signKey);
      nextPeer = { ...nextPeer, sent: sequence };
      const { type, token } = effect.draft;
      const topic = topicFromDevice(type, server, self);
      const n = outbox.nextNumber() + outgoing.length;
      outgoing.push({ n, topic, bytes, type, token: tokenKey(token) });
    }
    const leaving = step.effects.find((effect) => effect.do === 'leave');
    // P 10.8: who left says nothing any more, beside the answer.
    const unsaid = leaving === undefined || isSameLeave(step.state) ? [] : outbox.entries().map(({ n }) => n);

    const draft: records.Draft = new Map();
    records.writeState(draft, state, step.state);
    if (nextPeer.sent !== peer.sent || window !== undefined) records.writePeer(draft, nextPeer);
    for (const entry of outgoing) records.writeOutgoing(draft, entry);
    await commit(draft, unsaid);

    const before = state;
    state = step.state;
    peer = nextPeer;
    outbox.drop(new Set(unsaid));
    outbox.add(outgoing);
    alarm.set(nextWake(state));
    for (const { type, token } of outgoing) log.debug({ type, token: tokenPrefix(token) }, 'to be sent');
    if (before.join.phase !== state.join.phase) onEvent({ what: 'join', phase: state.join.phase });
    for (const effect of step.effects) perform(effect);
  }

  /** Undefined when all are used up: what should be said stays unsaid, and nothing else stops (P 5.1). */
  function numberAfter(record: records.PeerRecord): bigint | undefined {
    try {
      return nextSequence(records.countersOf(record));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      log.error(
        {},
        'the sequence numbers of this device and its server are used up: deregister it, and register anew',
      );
      return undefined;
    }
  }

  function isSameLeave(next: DeviceState): boolean {
    return next.join === state.join;
  }

  async function commit(draft: records.Draft, unsaid: readonly number[]): Promise<void> {
    const sent = [...acknowledged];
    for (const n of [...sent, ...unsaid]) records.removeOutgoing(draft, n);
    if (draft.size === 0) return;
    records.writeClockFloor(draft, watch.floor());
    if (options.bootId !== undefined) records.writeBoot(draft, options.bootId);
    await store.commit(draft);
    for (const n of sent) acknowledged.delete(n);
  }

  // ------------------------------------------------------------ out

  function perform(effect: DeviceStep['effects'][number]): void {
    switch (effect.do) {
      case 'send':
        return; // is in the outbox
      case 'leave':
        workshop.drop();
        if (effect.identity === 'drop') void tellDropped();
        return;
      default:
        workshop.perform(effect);
    }
  }

  async function tellDropped(): Promise<void> {
    await outbox.sent(ANSWER_GRACE_MS);
    onEvent({ what: 'dropped' });
  }

  /**
   * The broker has it: it leaves the store with the next commit, or soon. Killed before that, the same bytes are sent
   * again, and refused as seen: a sync to disk of its own would gain nothing.
   */
  function forgetSent(n: number): void {
    acknowledged.add(n);
    crossingOff ??= setTimeout(crossOff, CROSS_OFF_MS);
  }

  function crossOff(): void {
    crossingOff = undefined;
    inTurn(() => commit(new Map(), [])).catch((error: unknown) => {
      if (!stopped)
        log.warn(
          { reason: reasonOf(error) },
          'a sent message could not be crossed off: it may be sent again',
        );
    });
  }

  async function report(dataId: string, data: Uint8Array): ReturnType<ProgramReport> {
    if (!isProgramDataId(dataId) || dataId.length * 3 + data.length > MAX_MESSAGE_BYTES - MESSAGE_OVERHEAD)
      return 'refused';
    try {
      return await inTurn(async () => {
        if (state.join.phase !== 'joined') return 'unjoined';
        if (outbox.entries().length >= MAX_WAITING || outbox.bytes() + data.length > MAX_WAITING_BYTES)
          return 'full';
        if (numberAfter(peer) === undefined) return 'refused';
        await take({ on: 'report', token: newToken(clock, random), dataId, data });
        return 'kept';
      });
    } catch (error) {
      if (error instanceof StoreError) return 'full';
      throw error;
    }
  }

  const join = () => inTurn(() => take({ on: 'join', token: newToken(clock, random) }));

  return {
    start: async () => {
      await inTurn(async () => {
        await settle(resumeDevice(state, watch.moment(), rebooted));
        alarm.set(nextWake(state));
      });
      if (state.join.phase !== 'left') await join();
    },
    receive: (arrival) =>
      inTurn(() => takeArrival(arrival)).catch((error: unknown) => {
        if (error instanceof StoreError) onEvent({ what: 'refused', code: 'EFFECT_STORE' });
        throw error;
      }),
    report,
    join,
    greet: () => inTurn(() => take({ on: 'greet', token: newToken(clock, random) })),
    leave: (what) => inTurn(() => take({ on: 'leave', token: newToken(clock, random), what })),
    outbox,
    view: () => ({
      join: state.join,
      open: state.open,
      refusals: refusals.counts(),
      waiting: outbox.entries().length,
      ...(peer.heardAt !== undefined && { heardAt: peer.heardAt }),
    }),
    stop: async () => {
      alarm.stop();
      clearTimeout(crossingOff);
      await workshop.stop();
      await inTurn(() => commit(new Map(), [])).catch(() => undefined);
      stopped = true;
      await last;
    },
  };
}
