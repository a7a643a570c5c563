/**
 * Performs the effects that take their time: downloads, installations, actions and values for programs.
 *
 * Whether an effect can run is decided in these places, in this order:
 *
 * 1. The message is genuine, new, and of a type that this device obeys in its standing: `intake.ts`, with
 *    `deviceForbids` in `protocol/exchange/device.ts` (P 4.6).
 * 2. Its exchange begins or goes on: one effect for each token, not too old, for what is known, from an allowed URL, only
 *    what is staged: `protocol/exchange/{update,action,data}/device.ts`. The answer, or the effect, is then committed.
 * 3. The device was not let go meanwhile (P 10.8), and the action did not wait too long for its turn (P 6.2): here.
 * 4. What the owner allows: each address of a download, after redirects too (`software/fetch/address.ts`, P 10.2), and
 *    dangerous actions by name (`act/actions.ts`, P 10.5).
 * 5. Nobody defers the switch (P 10.11): the owner (`deferral/owner.ts`), the conditions
 *    (`deferral/preconditions.ts`), the program around the agent (`onDefer` in `sdk/device.ts`), asked in this order in
 *    `performers/assemble.ts` by `software/switch.ts`; and at each step the installer (`installers/command.ts`).
 * 6. What is installed is still what was verified: `software/prepare.ts` (P 10.3).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createLanes, type Log } from '@srup/node';
import type { DeviceEffect, DeviceInput, TokenKey } from '@srup/protocol';
import { reasonOf } from '../ground/trouble.ts';
import type { Performers } from './performers.ts';
import { tokenPrefix } from './refusals.ts';

/** Effects that take their time and come back as inputs. */
type Performed = Extract<DeviceEffect, { readonly do: 'fetch' | 'install' | 'act' | 'deliver' }>;

export interface Performing {
  /** Begins an effect when its turn comes. */
  perform(effect: Performed): void;
  /** The device is let go (P 10.8): what has not begun fails, and downloads end; whatever else runs is finished. */
  drop(): void;
  /** Aborts what runs and waits for its end. */
  stop(): Promise<void>;
}

/** What a performer made of an effect: the input for the exchange, and what is to be done after its answer left. */
interface Outcome {
  readonly input: DeviceInput;
  readonly afterwards?: () => Promise<void>;
}

export interface PerformingPorts {
  readonly performers: Performers;
  readonly log: Log;
  /** Commits an outcome; rejects with `StoreError` when it can't be committed now. */
  readonly tell: (input: DeviceInput) => Promise<void>;
  /** Is this token too old for its action to begin (P 6.2)? */
  readonly isStale: (token: TokenKey) => boolean;
  /** Resolves when the answer with this token left, or its time is over. */
  readonly answered: (token: TokenKey) => Promise<void>;
}

/** Between tries to commit an outcome on a full disk. */
const COMMIT_AGAIN_MS = 5_000;

/**
 * Performs effects, each kind one after another: two downloads share one folder, two installations one slot. A
 * download does not hold up an installation. An effect that is under way is not begun a second time.
 */
export function createPerforming({ performers, log, tell, isStale, answered }: PerformingPorts): Performing {
  const stopping = new AbortController();
  let dropping = new AbortController();
  const lanes = createLanes();
  const underWay = new Set<string>();

  async function work(effect: Performed, dropped: AbortSignal): Promise<void> {
    try {
      const { input, afterwards } = await outcomeOf(effect, dropped);
      await tellUntilKept(input);
      if (afterwards === undefined) return;
      await answered(effect.token);
      await afterwards();
    } catch (error) {
      // Stopped: at the next start `resumeDevice` says what is owed; an action and a delivery are not done again.
      if (!stopping.signal.aborted)
        log.error({ effect: effect.do, reason: reasonOf(error) }, 'an effect went wrong');
    }
  }

  async function tellUntilKept(input: DeviceInput): Promise<void> {
    for (;;) {
      try {
        await tell(input);
        return;
      } catch (error) {
        log.error({ reason: reasonOf(error), retryMs: COMMIT_AGAIN_MS }, 'an outcome could not be kept');
        await sleep(COMMIT_AGAIN_MS, undefined, { signal: stopping.signal });
      }
    }
  }

  async function outcomeOf(effect: Performed, dropped: AbortSignal): Promise<Outcome> {
    const about = { effect: effect.do, token: tokenPrefix(effect.token) };
    const isDropped = () => dropped.aborted;
    if (isDropped()) {
      log.info(about, 'not begun: this device was let go');
      return { input: failureOf(effect) };
    }
    if (effect.do === 'act' && isStale(effect.token)) {
      log.warn(about, 'an action waited so long behind others that it is not begun; it counts as failed');
      return { input: failureOf(effect) };
    }
    const isDownload = effect.do === 'fetch';
    try {
      const signal = isDownload ? AbortSignal.any([stopping.signal, dropped]) : stopping.signal;
      return await run(performers, effect, signal);
    } catch (error) {
      stopping.signal.throwIfAborted();
      if (!(isDownload && isDropped()))
        log.error({ ...about, reason: reasonOf(error) }, 'a performer threw; it counts as failed');
      return { input: failureOf(effect) };
    }
  }

  return {
    perform: (effect) => {
      if (stopping.signal.aborted) return;
      const name = `${effect.do} ${effect.token}`;
      if (underWay.has(name)) return;
      underWay.add(name);
      const dropped = dropping.signal;
      void lanes.run(effect.do, async () => {
        if (!stopping.signal.aborted) await work(effect, dropped);
        underWay.delete(name);
      });
    },
    drop: () => {
      dropping.abort();
      dropping = new AbortController();
    },
    stop: async () => {
      stopping.abort();
      await lanes.settle();
    },
  };
}

async function run(performers: Performers, effect: Performed, signal: AbortSignal): Promise<Outcome> {
  const { token } = effect;
  switch (effect.do) {
    case 'fetch':
      return { input: { on: 'fetched', token, outcome: await performers.fetch(effect, signal) } };
    case 'install':
      return { input: { on: 'installed', token, ...(await performers.install(effect, signal)) } };
    case 'act': {
      const { outcome, afterwards } = await performers.act(effect, signal);
      return { input: { on: 'acted', token, outcome }, ...(afterwards && { afterwards }) };
    }
    case 'deliver':
      return { input: { on: 'delivered', token, outcome: await performers.deliver(effect, signal) } };
  }
}

function failureOf(effect: Performed): DeviceInput {
  const { token } = effect;
  switch (effect.do) {
    case 'fetch':
      return { on: 'fetched', token, outcome: 'no-file' };
    case 'install':
      return { on: 'installed', token, outcome: 'reverted' };
    case 'act':
      return { on: 'acted', token, outcome: 'failed' };
    case 'deliver':
      return { on: 'delivered', token, outcome: 'unknown' };
  }
}
