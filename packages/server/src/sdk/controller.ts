import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import {
  isDigest,
  STANDARD_ACTIONS,
  toHex,
  type JoinVerdict,
  type StandardAction,
  type TokenKey,
} from '@srup/protocol';
import { pino, type Logger } from 'pino';
import type { Artifacts } from '../artifacts/artifacts.ts';
import { PROGRAM } from '../api/callers.ts';
import { FleetError } from '../api/faults.ts';
import type { DeviceView } from '../api/forms/devices.ts';
import type { FleetEvent } from '../api/forms/events.ts';
import type { ExchangeView } from '../api/forms/exchanges.ts';
import type { DataView } from '../api/forms/messages.ts';
import type { OrderBody } from '../api/forms/orders.ts';
import type { Fleet } from '../fleet-port.ts';
import type { RunningServer, ServerOptions } from '../options.ts';
import { startServer } from '../server.ts';
import { settle } from './settle.ts';

type Ordered = OrderBody['command'];

export interface ControllerOptions extends Omit<ServerOptions, 'log'> {
  /** By default, warnings and errors go to stdout as JSON. */
  readonly log?: Logger;
}

/** How a command ended, as far as the device proved it. */
export interface Outcome {
  readonly device: string;
  readonly token: TokenKey;
  /** The device proved what was asked for. */
  readonly ok: boolean;
  readonly phase: ExchangeView['exchange']['phase'];
  /** What the phase means, in words, with the reason of a failure. */
  readonly explanation: string;
}

export interface Waiting {
  /** Ends the waiting, and not the command: a message that was sent stays sent. */
  readonly signal?: AbortSignal;
}

export interface UpdateOptions extends Waiting {
  /** Shown with the artifact; a rollback can name it. */
  readonly version?: string;
  /** True by default. False stages the software, and the device goes on with what it runs. */
  readonly activate?: boolean;
}

/** Decides a join. Undefined leaves it open, for somebody else to decide. */
export type JoinHandler = (
  device: DeviceView,
) => Promise<Exclude<JoinVerdict, 'ask'> | undefined> | Exclude<JoinVerdict, 'ask'> | undefined;

/**
 * A command-and-control server as part of your program: key service, broker, artifacts and fleet in this process. The
 * HTTP API is off by default; the option `api` turns it on. The audit trail names the caller `program sdk` for every
 * order that is given here.
 *
 * ```ts
 * const controller = await Controller.start({ folder: './fleet', hosts: ['fleet.example'], listen: '0.0.0.0' });
 * controller.onJoin(({ type }) => (type === 'pump' ? 'accept' : 'refuse'));
 * controller.onData(({ device, dataId, value }) => record(device, dataId, value));
 * console.log(controller.url, controller.caFingerprint, await controller.enrolmentCode('pump'));
 * const { ok, explanation } = await controller.action(pump, 'self-test');
 * ```
 */
export class Controller {
  /** The server itself: everything that the HTTP API can do, and more. */
  readonly server: RunningServer;
  readonly #log: Logger;

  private constructor(server: RunningServer, log: Logger) {
    this.server = server;
    this.#log = log;
  }

  /**
   * Starts the server. Resolves when it hears devices; rejects as `startServer` does.
   *
   * @example
   * const controller = await Controller.start({ folder: './fleet' });
   */
  static async start({ log = pino({ level: 'warn' }), ...options }: ControllerOptions): Promise<Controller> {
    return new Controller(await startServer({ api: false, ...options, log }), log);
  }

  /** Where devices register: `https://host:port`. */
  get url(): string {
    return this.server.url;
  }

  /** SHA-256 of the CA certificate, as lower-case hex. Devices pin it (P 8.6). */
  get caFingerprint(): string {
    return this.server.caFingerprint;
  }

  /** Devices, exchanges, orders, joins and events. */
  get fleet(): Fleet {
    return this.server.fleet;
  }

  /** The stored files. */
  get artifacts(): Artifacts {
    return this.server.artifacts;
  }

  /**
   * Creates a code that lets devices of this type register (P 8.4). It is good for one device by default. `expiresAt`
   * is in milliseconds since 1970; without it the code does not expire.
   *
   * @example
   * const code = await controller.enrolmentCode('pump', { uses: 20 });
   */
  async enrolmentCode(type: string, { uses = 1, expiresAt }: { uses?: number; expiresAt?: number } = {}) {
    const wish = { type, uses, ...(expiresAt === undefined ? {} : { expiresAt }) };
    return (await this.server.codes.create(wish)).secret;
  }

  /**
   * Decides the joins that the policy leaves open, also those that wait already. A new server leaves all of them open.
   * Returns a function that stops it.
   *
   * @example
   * controller.onJoin(({ type }) => (type === 'pump' ? 'accept' : 'refuse'));
   */
  onJoin(handler: JoinHandler): () => void {
    const stop = this.fleet.watch((event) => {
      if (event.kind === 'exchange') void this.#decide(event.change, handler);
    });
    void this.#decideWaiting(handler);
    return stop;
  }

  /**
   * Gives each value that a device sends from now on. The signature of the device was checked before. Returns a
   * function that stops it.
   *
   * @example
   * controller.onData(({ device, dataId, value }) => console.log(device, dataId, value));
   */
  onData(handler: (data: DataView) => void): () => void {
    return this.onEvent((event) => {
      if (event.kind === 'data') handler(event.data);
    });
  }

  /**
   * Gives everything that happens, in order, from now on or from after event `since`. Returns a function that stops it.
   *
   * @example
   * const stop = controller.onEvent(({ seq, kind }) => console.log(seq, kind));
   */
  onEvent(handler: (event: FleetEvent) => void, since?: number): () => void {
    return this.fleet.watch(handler, since);
  }

  /**
   * Orders an action, by its name in P 10.5 or by its id, 0 to 255. Rejects with `FleetError` when the device is unknown
   * or not joined, as do all orders here.
   *
   * @example
   * const { ok, explanation } = await controller.action(pump, 'self-test');
   */
  action(device: string, action: StandardAction | number, waiting?: Waiting): Promise<Outcome> {
    const actionId = typeof action === 'number' ? action : STANDARD_ACTIONS[action];
    return this.#command(device, { kind: 'action', actionId }, 'done', waiting);
  }

  /**
   * Asks the device what it is (P 10.7); `controller.fleet.device(id)` then has the answer.
   *
   * @example
   * await controller.identify(pump, { signal: AbortSignal.timeout(30_000) });
   */
  identify(device: string, waiting?: Waiting): Promise<Outcome> {
    return this.#command(device, { kind: 'identify' }, 'answered', waiting);
  }

  /**
   * Lets the device go. It keeps its identity and may join again (P 10.8).
   *
   * @example
   * await controller.terminate(pump);
   */
  terminate(device: string, waiting?: Waiting): Promise<Outcome> {
    return this.#command(device, { kind: 'terminate' }, 'left', waiting);
  }

  /**
   * Lets the device go and ends its identity (P 10.8). There is no way back.
   *
   * @example
   * await controller.deregister(pump);
   */
  deregister(device: string, waiting?: Waiting): Promise<Outcome> {
    return this.#command(device, { kind: 'deregister' }, 'left', waiting);
  }

  /**
   * Sends a value: text, a number (as double), or bytes. Resolves when the message is signed and stored, as devices do
   * not confirm data.
   *
   * @example
   * await controller.send(greenhouse, 'target', 24);
   */
  async send(device: string, dataId: string, value: string | number | Uint8Array): Promise<void> {
    await this.#order(device, { kind: 'data', dataId, value: dataValueOf(value) });
  }

  /**
   * Updates the software of a device, from a file or by the digest of a stored artifact. Resolves when the device has
   * proven how it ended.
   *
   * @example
   * const { ok } = await controller.update(pump, './pump-2.tar.gz', { version: '2' });
   */
  async update(device: string, software: string, options: UpdateOptions = {}): Promise<Outcome> {
    const { version, activate = true } = options;
    const digest = isDigest(software) ? software : await this.#store(software, version);
    const command: Ordered = { kind: 'update', digest, activate };
    return this.#command(device, command, activate ? 'active' : 'staged', options);
  }

  /**
   * Brings a device back to software that it has proven to have run, without a download where it still holds it (P
   * 10.12). `to`: a digest, its first 8 digits or more, or a version; by default what the device ran before.
   *
   * @example
   * const { ok } = await controller.rollback(pump, '1.4');
   */
  rollback(device: string, to?: string, waiting?: Waiting): Promise<Outcome> {
    return this.#command(device, { kind: 'rollback', to }, 'active', waiting);
  }

  /** Stops taking requests, finishes what runs, and closes everything. */
  close(): Promise<void> {
    return this.server.close();
  }

  async #command(
    device: string,
    command: Ordered,
    good: Outcome['phase'],
    waiting: Waiting = {},
  ): Promise<Outcome> {
    if (command.kind !== 'identify') await this.#acquaint(device, waiting);
    const token = await this.#order(device, command);
    const isSettled = (view: ExchangeView) => view.isFinal || view.exchange.phase === good;
    const { exchange, explanation } = await settle(this.fleet, device, token, isSettled, waiting.signal);
    return { device, token, ok: exchange.phase === good, phase: exchange.phase, explanation };
  }

  /** Asks a device that has just joined what it is: until it has answered, it is not known to confirm (P 10.7). */
  async #acquaint(device: string, waiting: Waiting): Promise<void> {
    const known = await this.fleet.device(device);
    if (known?.standing === 'joined' && known.identification === undefined)
      await this.identify(device, waiting);
  }

  async #order(device: string, command: Ordered): Promise<TokenKey> {
    const [receipt] = await this.server.orders.place({ devices: [device], command }, PROGRAM);
    if (receipt?.ok === true) return receipt.token;
    throw new FleetError('conflict', `${device}: ${receipt?.reason ?? 'nothing was sent'}`);
  }

  async #store(path: string, version: string | undefined): Promise<string> {
    const content = createReadStream(path);
    return (await this.artifacts.add({ content, name: basename(path), version })).digest;
  }

  async #decideWaiting(handler: JoinHandler): Promise<void> {
    try {
      let cursor: string | undefined;
      do {
        const page = await this.fleet.exchanges({ kind: 'join', open: true, cursor });
        for (const view of page.rows) await this.#decide(view, handler);
        cursor = page.next;
      } while (cursor !== undefined);
    } catch (fault) {
      this.#log.error({ err: fault }, 'the open joins could not be read');
    }
  }

  async #decide({ device, exchange }: ExchangeView, handler: JoinHandler): Promise<void> {
    if (exchange.kind !== 'join' || exchange.phase !== 'pending') return;
    try {
      const known = await this.fleet.device(device);
      const verdict = known && (await handler(known));
      if (verdict !== undefined) await this.fleet.decideJoin(device, exchange.token, verdict);
    } catch (fault) {
      // Decided meanwhile: by another handler, by an operator, or by its timeout.
      if (fault instanceof FleetError && fault.kind === 'conflict') return;
      this.#log.error({ err: fault, device }, 'a join could not be decided, and stays open');
    }
  }
}

function dataValueOf(value: string | number | Uint8Array): Extract<Ordered, { kind: 'data' }>['value'] {
  if (typeof value === 'string') return { type: 'text', text: value };
  if (typeof value === 'number') return { type: 'double', number: value };
  return { type: 'hex', hex: toHex(value) };
}
