import type { Log } from '@srup/node';
import { isProgramDataId, STANDARD_ACTIONS, type StandardAction } from '@srup/protocol';
import { createActionTable, type ActionHandler } from '../act/actions.ts';
import { startAgent, type AgentEvent, type RunningAgent } from '../agent.ts';
import { parseConfig, type AgentConfig, type AgentConfigInput } from '../config/config.ts';
import type { ProgramReport } from '../engine/report.ts';
import { createDataTable, type DataHandler } from '../data/data-table.ts';
import { encodeValue } from '../data/values.ts';
import type { SoftwareHandler } from '../installers/handler.ts';
import type { Deferral } from '../deferral/deferral.ts';
import { createPerformers } from '../performers/performers.ts';
import type { AgentStatus } from '../control/status.ts';
import { quietLog } from './log.ts';

/** What `agent.json` has (docs/operation.md), and where the device keeps its state. */
export interface DeviceOptions extends AgentConfigInput {
  /** Folder for keys, state and software; made when it is not there, 0700. One device works in it at a time. */
  readonly home: string;
  /** Pino has this form. By default, warnings and errors go to stderr. */
  readonly log?: Log;
  readonly onEvent?: (event: AgentEvent) => void;
}

/**
 * Decides whether the device defers an activation (P 10.11). `digest`: the software to be activated. A deferral says why, for
 * people, and until when, in ms since 1970; undefined lets the activation go on.
 */
export type DeferHandler = (digest: string) => Promise<Deferral | undefined> | Deferral | undefined;

/**
 * A device as part of your own program. It enrols, joins, fetches, verifies and proves; your program says what an action,
 * a value or new software means. Set the handlers before `start`.
 *
 * ```ts
 * const device = new Device({ home: './pump', url, caFingerprint, type: 'pump', enrolmentCode });
 * device.onAction('beacon', () => blink());
 * device.onData('setpoint', (value) => pump.set(Number(value)));
 * device.onUpdate(async ({ path }) => pump.load(path));
 * await device.start();
 * setInterval(() => device.send('pressure', pump.pressure()), 10_000);
 * ```
 */
export class Device {
  readonly #config: AgentConfig;
  readonly #options: Pick<DeviceOptions, 'home' | 'onEvent'> & { readonly log: Log };
  readonly #actions = createActionTable();
  readonly #data = createDataTable();
  #onUpdate: SoftwareHandler | undefined;
  #onDefer: DeferHandler | undefined;
  #agent: RunningAgent | undefined;

  /** `ConfigError` names every mistake in the options. */
  constructor({ home, log = quietLog, onEvent, ...config }: DeviceOptions) {
    this.#config = parseConfig(config, 'the options of the device');
    this.#options = { home, log, ...(onEvent && { onEvent }) };
  }

  /** Handles an action, by its name in P 10.5 or its id, 0 to 255. It runs at most once for each command. */
  onAction(action: StandardAction | number, handler: ActionHandler): this {
    this.#actions.on(typeof action === 'number' ? action : STANDARD_ACTIONS[action], handler);
    return this;
  }

  /** Handles values from the server: of one data id, or of all ids without a handler (P 10.6). */
  onData(dataId: string, handler: DataHandler): this;
  onData(handler: DataHandler): this;
  onData(first: string | DataHandler, second?: DataHandler): this {
    if (typeof first === 'function') this.#data.on(undefined, first);
    else if (second !== undefined) this.#data.on(first, second);
    return this;
  }

  /**
   * Handles new, verified software: the handler makes the device work with it. Without a handler, the configured installer
   * starts it as a program. A rejection reverts (1F).
   */
  onUpdate(handler: SoftwareHandler): this {
    this.#onUpdate = handler;
    return this;
  }

  /**
   * Called before new software is activated. If it gives a deferral, the server asks again later (P 10.11).
   *
   * @example
   * device.onDefer(() => (pump.isRunning ? { reason: 'the pump runs' } : undefined));
   */
  onDefer(handler: DeferHandler): this {
    this.#onDefer = handler;
    return this;
  }

  /**
   * Resolves when the device runs. It enrols and joins meanwhile, and keeps trying. `AgentError` when another device works
   * in the folder, or the folder can't be used.
   */
  async start(): Promise<this> {
    if (this.#agent !== undefined) throw new Error('the device was started already');
    const onDefer = this.#onDefer;
    this.#agent = await startAgent({
      config: this.#config,
      ...this.#options,
      openPerformers: (surroundings) =>
        createPerformers(surroundings, {
          actions: this.#actions,
          data: this.#data,
          onUpdate: this.#onUpdate,
          ...(onDefer && { defer: async (digest) => onDefer(digest) }),
        }),
    });
    return this;
  }

  /** Resolves when the server has let the device in. It stays pending if the server does not. */
  get joined(): Promise<void> {
    return this.#running().joined;
  }

  /** Resolves when the device is stopped; rejects with `AgentError` when its folder can no longer be used. */
  get ended(): Promise<void> {
    return this.#running().ended;
  }

  get status(): AgentStatus {
    return this.#running().status();
  }

  /**
   * Sends a value (P 10.6). `kept`: the value survives a power cut from now on. `full`: too much waits for the network, slow
   * down. `unjoined`: the device has no server now, so the value is dropped. TypeError: the value does not fit the type that
   * `data.types` declares for this id. RangeError: the id is reserved, or the value is longer than a message.
   */
  async send(
    dataId: string,
    value: string | number | boolean | Uint8Array,
  ): Promise<Exclude<Awaited<ReturnType<ProgramReport>>, 'refused'>> {
    const { types } = this.#config.data;
    const type = Object.hasOwn(types, dataId) ? types[dataId] : undefined;
    const bytes = value instanceof Uint8Array ? value : encodeValue(type, value);
    if (bytes === undefined)
      throw new TypeError(`"${dataId}" can't hold this value: it is ${type ?? 'text'}`);
    const agent = this.#running();
    if (!isProgramDataId(dataId)) throw new RangeError(`"${dataId}" is reserved for the protocol`);
    const outcome = await agent.report(dataId, bytes);
    if (outcome === 'refused') throw new RangeError(`"${dataId}" and its value are too long for a message`);
    return outcome;
  }

  /**
   * Asks to join again, after `resign` or a refusal. If its identity has ended, it registers with a new one, with this
   * enrolment code if the server wants one; `status` says how that went.
   */
  join(enrolmentCode?: string): Promise<void> {
    return this.#running().join(enrolmentCode);
  }

  /** Leaves the server and keeps the identity (P 10.8). */
  resign(): Promise<void> {
    return this.#running().leave('resign');
  }

  /** Leaves and gives up the identity: its certificate is revoked (P 10.8). */
  deregister(): Promise<void> {
    return this.#running().leave('deregister');
  }

  /** Resolves when nothing of the device runs. */
  async stop(): Promise<void> {
    await this.#agent?.stop();
  }

  #running(): RunningAgent {
    if (this.#agent === undefined) throw new Error('the device was not started yet');
    return this.#agent;
  }
}
