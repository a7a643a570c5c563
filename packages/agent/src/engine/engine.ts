/**
 * The device's conversations with its server, made durable: every input goes through one queue, and each of them is one
 * turn (`turn.ts`) with one commit. What a crash interrupts is owed after the restart, and nothing that was not
 * committed was ever told to anybody.
 */
import {
  createQueue,
  newToken,
  realDelay,
  takeInOrder,
  type Delay,
  type Log,
  type MqttArrival,
} from '@srup/node';
import {
  isActionStale,
  nextWake,
  type Clock,
  type DeviceEffect,
  type DeviceFacts,
  type DeviceState,
  type Random,
} from '@srup/protocol';
import { reasonOf } from '../ground/trouble.ts';
import { StoreError, type Store } from '../vault/store.ts';
import { createAlarm } from './alarm.ts';
import { createIntake, type IntakeOptions } from './intake.ts';
import { createLedger } from './ledger.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { createPerforming } from './perform.ts';
import { ANSWER_GRACE_MS, type Performers } from './performers.ts';
import { readBoot, readClockFloor, readOutbox } from './records.ts';
import { createRefusals, type RefusalCounts } from './refusals.ts';
import { createReport, type ProgramReport } from './report.ts';
import { createScribe, type ScribeOptions } from './scribe.ts';
import { createTurn, type EngineEvent } from './turn.ts';
import { createWatch } from './watch.ts';

export interface EngineOptions extends IntakeOptions, Omit<ScribeOptions, 'log'> {
  readonly store: Store;
  readonly performers: Performers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Real time by default. */
  readonly delay?: Delay;
  /** Names this start of the system; undefined where it has no name. */
  readonly bootId: string | undefined;
  readonly facts: () => DeviceFacts;
  readonly onEvent: (event: EngineEvent) => void;
}

export interface Engine {
  /** Performs what is owed and asks to join, except for a device that left. */
  start(): Promise<void>;
  /** For the transport: acknowledge when it resolves, deliver again when it rejects. */
  readonly receive: (arrival: MqttArrival) => Promise<void>;
  readonly report: ProgramReport;
  join(): Promise<void>;
  /** The broker lost our session: lets the server know that we listen again. */
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

/** How long a message that the broker has waits for a commit that comes by itself, before it gets one of its own. */
const CROSS_OFF_MS = 1_000;

export function createEngine(options: EngineOptions): Engine {
  const { store, performers, clock, random, log, delay = realDelay, bootId, facts, onEvent } = options;
  const rebooted = bootId !== undefined && (readBoot(store) ?? bootId) !== bootId;
  const watch = createWatch(clock, random, readClockFloor(store));
  const ledger = createLedger({ store, bootId, clockFloor: watch.floor });
  const refusals = createRefusals(log, clock);
  const outbox = createOutbox(readOutbox(store), { onSent: crossOff, delay, log });
  const alarm = createAlarm(clock, delay, () => inTurn(() => turn.take({ on: 'time' })));
  const performing = createPerforming({
    ...{ performers, log },
    tell: (input) => inTurn(() => turn.take(input)),
    isStale: (token) => isActionStale(token, watch.moment()),
    answered: (token) => outbox.sent(ANSWER_GRACE_MS, token),
  });
  const scribe = createScribe(options);
  const intake = createIntake(options, ledger);
  const turn = createTurn({
    ...{ ledger, intake, scribe, outbox, refusals, watch, clock, log, facts, perform, onEvent },
  });
  const queue = createQueue();
  let stopped = false;
  let callOffFlush: (() => void) | undefined;

  function inTurn<Value>(task: () => Promise<Value>): Promise<Value> {
    return queue.run(async () => {
      if (stopped) throw new StoreError('the agent is stopping');
      const value = await task();
      alarm.set(nextWake(ledger.state));
      return value;
    });
  }

  function perform(effect: Exclude<DeviceEffect, { readonly do: 'send' }>): void {
    if (effect.do !== 'leave') {
      performing.perform(effect);
      return;
    }
    performing.drop();
    if (effect.identity === 'drop') void tellDropped();
  }

  async function tellDropped(): Promise<void> {
    await outbox.sent(ANSWER_GRACE_MS);
    onEvent({ what: 'dropped' });
  }

  /** Killed before the next commit, the device sends the same bytes again, which are refused as seen. */
  function crossOff(n: number): void {
    ledger.crossOff(n);
    callOffFlush ??= delay(CROSS_OFF_MS, () => {
      callOffFlush = undefined;
      inTurn(ledger.flush).catch((error: unknown) => {
        if (stopped) return;
        log.warn(
          { reason: reasonOf(error) },
          'a sent message could not be crossed off: it may be sent again',
        );
      });
    });
  }

  const token = () => newToken(clock, random);
  const join = () => inTurn(() => turn.take({ on: 'join', token: token() }));
  const report = createReport({
    ...{ inTurn, outbox },
    isJoined: () => ledger.state.join.phase === 'joined',
    hasNumber: () => scribe.hasNumber(ledger.peer),
    take: (dataId, data) => turn.take({ on: 'report', token: token(), dataId, data }),
  });

  return {
    start: async () => {
      await inTurn(() => turn.resume(rebooted));
      if (ledger.state.join.phase !== 'left') await join();
    },
    receive: (arrival) =>
      inTurn(() => takeInOrder(arrival, () => turn.hear(arrival))).catch((error: unknown) => {
        if (error instanceof StoreError) onEvent({ what: 'refused', code: 'EFFECT_STORE' });
        throw error;
      }),
    report,
    join,
    greet: () => inTurn(() => turn.take({ on: 'greet', token: token() })),
    leave: (what) => inTurn(() => turn.take({ on: 'leave', token: token(), what })),
    outbox,
    view: () => ({
      join: ledger.state.join,
      open: ledger.state.open,
      refusals: refusals.counts(),
      waiting: outbox.count(),
      ...(ledger.peer.heardAt !== undefined && { heardAt: ledger.peer.heardAt }),
    }),
    stop: async () => {
      alarm.stop();
      callOffFlush?.();
      await performing.stop();
      await inTurn(ledger.flush).catch(() => undefined);
      stopped = true;
      await queue.settle();
    },
  };
}
