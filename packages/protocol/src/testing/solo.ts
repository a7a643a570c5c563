/** One end alone, which keeps its state from step to step, for tests of single rules. */
import { resumeDevice, stepDevice } from '../exchange/device.ts';
import type { DeviceEffect, DeviceFacts, DeviceInput } from '../exchange/device-step.ts';
import type { Moment, Step } from '../exchange/step.ts';
import type { ServerCommand, ServerFacts, ServerInput, ServerStep } from '../exchange/server-step.ts';
import type { ServerExchange } from '../exchange/server-exchange.ts';
import { answerMessage, openExchange, stepServer } from '../exchange/server.ts';
import type { FaultCode, Rejected } from '../faults.ts';
import type { BodyOf, MessageType } from '../message/layouts.ts';
import type { Draft } from '../outbound.ts';
import { createToken, tokenKey, tokenOfKey, type TokenKey } from '../token.ts';
import { freshFrom, SOLO_DEVICE } from './fresh.ts';
import { checkPlain } from './plain.ts';
import { seededRandom } from './random.ts';
import { NOTHING_STORED, stepStored, type StoredDevice } from './stored-device.ts';

const START = Date.UTC(2026, 0, 1);

export interface Solo {
  /** A test can move it: `solo.moment = { ...solo.moment, now }`. By default there is no jitter. */
  moment: Moment;
  /** A UUIDv7 that was made `ageMs` before now. */
  newToken(ageMs?: number): TokenKey;
  pass(ms: number): void;
}

function solo(): Solo {
  const random = seededRandom(1);
  const it: Solo = {
    moment: { now: START, trusted: true, random: 0.5 },
    newToken: (ageMs = 0) => tokenKey(createToken(it.moment.now - ageMs, random.bytes(10))),
    pass(ms) {
      it.moment = { ...it.moment, now: it.moment.now + ms };
    },
  };
  return it;
}

type SoloStep = Step<StoredDevice, DeviceEffect>;

export interface SoloDevice extends Solo {
  state: StoredDevice;
  hear<T extends MessageType>(
    type: T,
    token: TokenKey,
    body: BodyOf<T>,
    sequence?: bigint,
  ): Promise<SoloStep>;
  tell(input: DeviceInput): SoloStep;
  /** Starts again. `rebooted`: see `resumeDevice`. */
  resume(rebooted: boolean): SoloStep;
}

/** A joined device. */
export function soloDevice(facts: Partial<DeviceFacts> = {}): SoloDevice {
  const all: DeviceFacts = {
    self: SOLO_DEVICE,
    identification: 'srup-agent/0.1.0',
    allowHttp: false,
    serverSpeaksProfile: true,
    ...facts,
  };
  const base = solo();
  const joined: StoredDevice = { ...NOTHING_STORED, join: { phase: 'joined', attempts: 0 } };
  function run(device: { state: StoredDevice }, step: Parameters<typeof stepStored>[2]): SoloStep {
    const done = stepStored(device.state, base.moment, step);
    checkPlain(done.state);
    device.state = done.state;
    return done;
  }
  return Object.assign(base, {
    state: joined,
    async hear(type: MessageType, token: TokenKey, body: unknown, sequence?: bigint): Promise<SoloStep> {
      const draft = { type, token: tokenOfKey(token), body } as Draft;
      return this.tell({ on: 'message', message: await freshFrom('server', draft, sequence) });
    },
    tell(input: DeviceInput): SoloStep {
      return run(this, (state, memory) => stepDevice(state, memory, input, base.moment, all));
    },
    resume(rebooted: boolean): SoloStep {
      return run(this, (state, memory) => resumeDevice(state, memory, base.moment, rebooted));
    },
  });
}

export interface SoloServer extends Solo {
  readonly facts: ServerFacts;
  open(command: ServerCommand, token: TokenKey): ServerStep;
  hear<T extends MessageType>(type: T, token: TokenKey, body: BodyOf<T>): Promise<ServerStep | Rejected>;
  tell(token: TokenKey, input: ServerInput): ServerStep;
  exchange(token: TokenKey): ServerExchange | undefined;
}

/** A server with one device. By default the device is joined and confirms. */
export function soloServer(facts: Partial<ServerFacts> = {}): SoloServer {
  const all: ServerFacts = {
    confirms: true,
    joined: true,
    joinVerdict: 'accept',
    takesData: () => true,
    ...facts,
  };
  const base = solo();
  const exchanges = new Map<TokenKey, ServerExchange>();
  function keep<S extends ServerStep | Rejected>(step: S): S {
    if ('state' in step) {
      checkPlain(step.state);
      exchanges.set(step.state.token, step.state);
    }
    return step;
  }
  return Object.assign(base, {
    facts: all,
    exchange: (token: TokenKey) => exchanges.get(token),
    open: (command: ServerCommand, token: TokenKey) => keep(openExchange(command, token, base.moment, all)),
    async hear(type: MessageType, token: TokenKey, body: unknown) {
      const draft = { type, token: tokenOfKey(token), body } as Draft;
      return keep(answerMessage(await freshFrom('device', draft), exchanges.get(token), base.moment, all));
    },
    tell(token: TokenKey, input: ServerInput) {
      const exchange = exchanges.get(token);
      if (exchange === undefined) throw new TypeError(`no exchange has the token ${token}`);
      return keep(stepServer(exchange, input, base.moment, all));
    },
  });
}

interface AnyStep {
  readonly effects?: readonly { readonly do: string }[];
  readonly refused?: FaultCode;
  readonly code?: FaultCode;
}

/** A step in short, for comparisons: `['send RESPONSE 2f', 'refused FLOW_LIMIT']`. */
export function inShort({ effects = [], refused, code }: AnyStep): string[] {
  const refusal = refused ?? code;
  return [...effects.map(effectInShort), ...(refusal === undefined ? [] : [`refused ${refusal}`])];
}

function effectInShort(effect: { readonly do: string; readonly draft?: Draft }): string {
  const { draft } = effect;
  if (draft === undefined) return effect.do;
  if (draft.type !== 'RESPONSE') return `send ${draft.type}`;
  return `send RESPONSE ${draft.body.status.toString(16).padStart(2, '0')}`;
}
