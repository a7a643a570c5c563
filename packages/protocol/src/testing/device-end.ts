import { deviceForbids, nextWake, resumeDevice, stepDevice } from '../exchange/device.ts';
import type {
  ActOutcome,
  DataOutcome,
  DeviceEffect,
  DeviceFacts,
  DeviceInput,
  FetchOutcome,
  InstallOutcome,
} from '../exchange/device-step.ts';
import type { DeviceJoin } from '../exchange/device-state.ts';
import type { Moment, SendEffect } from '../exchange/step.ts';
import type { TokenKey } from '../token.ts';
import { topicFromDevice } from '../topics.ts';
import { End, type Circumstances, type Mind } from './end.ts';
import { NOTHING_STORED, stepStored, type StoredDevice } from './stored-device.ts';

type Action = Exclude<DeviceEffect, SendEffect>;

/** How the attempts of the simulated device end. */
export interface Fate {
  fetch(token: TokenKey): FetchOutcome;
  /** After a deferral another outcome can follow. */
  install(token: TokenKey): InstallOutcome;
  act(actionId: number): ActOutcome;
  deliver(dataId: string): DataOutcome;
}

/** What really happened to the device: how often, for each token. Restarts do not undo it. */
export interface World {
  readonly fetches: Map<TokenKey, number>;
  readonly switches: Map<TokenKey, number>;
  readonly acts: Map<TokenKey, number>;
  readonly deliveries: Map<TokenKey, number>;
  identity: 'keep' | 'drop' | undefined;
}

const LONGEST_WORK_MS = 5_000;
/** P 10.5. */
const REBOOT = 0x04;

export interface DeviceEnd {
  readonly end: End<StoredDevice, Action>;
  readonly world: World;
  input(input: DeviceInput): Promise<void>;
}

export function deviceEnd(
  around: Circumstances,
  fate: Fate,
  facts: DeviceFacts,
  join: DeviceJoin['phase'],
): DeviceEnd {
  const world: World = {
    fetches: new Map(),
    switches: new Map(),
    acts: new Map(),
    deliveries: new Map(),
    identity: undefined,
  };
  const switched = new Map<TokenKey, InstallOutcome>();

  function soon(input: DeviceInput): void {
    end.later(around.random.unit() * LONGEST_WORK_MS, () => tell(input));
  }

  /** Finds out whether the switch was made before the power went. */
  function install(token: TokenKey): InstallOutcome {
    const before = switched.get(token);
    if (before !== undefined) return before;
    const outcome = fate.install(token);
    if (outcome === 'deferred') return outcome;
    count(world.switches, token);
    switched.set(token, outcome);
    return outcome;
  }

  function perform(effect: Action): void {
    switch (effect.do) {
      case 'fetch':
        count(world.fetches, effect.token);
        soon({ on: 'fetched', token: effect.token, outcome: fate.fetch(effect.token) });
        break;
      case 'install':
        soon({ on: 'installed', token: effect.token, outcome: install(effect.token), reason: 'busy' });
        break;
      case 'act':
        count(world.acts, effect.token);
        if (effect.actionId === REBOOT) end.restart(true);
        else soon({ on: 'acted', token: effect.token, outcome: fate.act(effect.actionId) });
        break;
      case 'deliver':
        count(world.deliveries, effect.token);
        soon({ on: 'delivered', token: effect.token, outcome: fate.deliver(effect.dataId) });
        break;
      case 'leave':
        world.identity = effect.identity;
        break;
    }
  }

  const step = (input: DeviceInput, stored: StoredDevice, moment: Moment) =>
    stepStored(stored, moment, (state, memory) => stepDevice(state, memory, input, moment, facts));
  const mind: Mind<StoredDevice, Action> = {
    role: 'device',
    initial: { ...NOTHING_STORED, join: { phase: join, attempts: 0 } },
    forbids: deviceForbids,
    joinToken: ({ join }) => (join.phase === 'asking' ? join.token : undefined),
    hear: (state, message, moment) => step({ on: 'message', message }, state, moment),
    wakeAt: nextWake,
    wake: (state, moment) => step({ on: 'time' }, state, moment),
    resume: (stored, moment, rebooted) =>
      stepStored(stored, moment, (state, memory) => resumeDevice(state, memory, moment, rebooted)),
    topicOf: (type) => topicFromDevice(type, around.peer, around.self),
    perform,
  };
  const end = new End(mind, around);
  const tell = (input: DeviceInput) => end.input((state, moment) => step(input, state, moment));
  return { end, world, input: tell };
}

function count(counts: Map<TokenKey, number>, token: TokenKey): void {
  counts.set(token, (counts.get(token) ?? 0) + 1);
}
