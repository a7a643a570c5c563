import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import {
  encodeText,
  isDigest,
  STANDARD_ACTIONS,
  type JoinVerdict,
  type StandardAction,
} from '@srup/protocol';
import { pino, type Logger } from 'pino';
import type { Artifacts } from '../artifacts/artifacts.ts';
import {
  FleetError,
  type DataView,
  type DeviceView,
  type ExchangeView,
  type Fleet,
  type FleetEvent,
  type ServerCommand,
  type TokenKey,
} from '../contract.ts';
import { writeDouble } from '../news/values.ts';
import { artifactUrl } from '../http/routes/files.ts';
import type { RunningServer, ServerOptions } from '../options.ts';
import { startServer } from '../server.ts';
import { settle } from './settle.ts';

export interface ControllerOptions extends Omit<ServerOptions, 'log'> {
  /** Warnings and errors on stdout, JSON, unless told. */
  readonly log?: Logger;
}

/** How a command ended, as far as the device has proven it. */
export interface Outcome {
  readonly device: string;
  readonly token: TokenKey;
  /** The device proved what was asked for. */
  readonly ok: boolean;
  readonly phase: ExchangeView['exchange']['phase'];
  /** In words, with the reason of a failure. */
  readonly explanation: string;
}

export interface Waiting {
  /** Ends the waiting, not the command: what was sent stays sent. */
  readonly signal?: AbortSignal;
}

export interface UpdateOptions extends Waiting {
  readonly version?: string;
  /** False: the device stages the software, and goes on with what it runs. */
  readonly activate?: boolean;
}

/** Undefined: the join stays open, for somebody else to decide. */
export type JoinHandler = (
  device: DeviceView,
) => Promise<Exclude<JoinVerdict, 'ask'> | undefined> | Exclude<JoinVerdict, 'ask'> | undefined;

/**
 * A command-and-control server as part of a program of yours: key service, broker, files and fleet in this process;
 * no HTTP API unless `api` says so.
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
  /** Everything that the HTTP API can do, and more. */
  readonly server: RunningServer;
  readonly #log: Logger;

  private constructor(server: RunningServer, log: Logger) {
    this.server = server;
    this.#log = log;
  }

  /** Resolves when devices are heard. Rejects as `startServer` does. */
  static async start({ log = pino({ level: 'warn' }), ...options }: ControllerOptions): Promise<Controller> {
    return new Controller(await startServer({ api: false, ...options, log }), log);
  }

  /** What devices register at. */
  get url(): string {
    return this.server.url;
  }

  /** SHA-256 of the CA certificate, lower-case hex: what devices pin (P 8.6). */
  get caFingerprint(): string {
    return this.server.caFingerprint;
  }

  get fleet(): Fleet {
    return this.server.fleet;
  }

  get artifacts(): Artifacts {
    return this.server.artifacts;
  }

  /** A code that lets devices of this type register (P 8.4). Without `expiresAt` (ms since 1970) it does not expire. */
  async enrolmentCode(type: string, { uses = 1, expiresAt }: { uses?: number; expiresAt?: number } = {}) {
    const wish = { type, uses, ...(expiresAt === undefined ? {} : { expiresAt }) };
    return (await this.server.codes.create(wish)).secret;
  }

  /**
   * Decides the joins that the policy leaves open (`ask`, which is what a new server does with all), those that wait
   * already too. Returns how to stop.
   */
  onJoin(handler: JoinHandler): () => void {
    const stop = this.fleet.watch((event) => {
      if (event.kind === 'exchange') void this.#decide(event.change, handler);
    });
    void this.#decideWaiting(handler);
    return stop;
  }

  /** Values that devices send, from now on, each with the proof of its device. Returns how to stop. */
  onData(handler: (data: DataView) => void): () => void {
    return this.onEvent((event) => {
      if (event.kind === 'data') handler(event.data);
    });
  }

  /** Everything that happens, in order, from now on or from after event `since`. Returns how to stop. */
  onEvent(handler: (event: FleetEvent) => void, since?: number): () => void {
    return this.fleet.watch(handler, since);
  }

  /** An action by its name in P 10.5 or its id, 0 to 255. FleetError: the device is unknown or not joined. */
  action(device: string, action: StandardAction | number, waiting?: Waiting): Promise<Outcome> {
    const actionId = typeof action === 'number' ? action : STANDARD_ACTIONS[action];
    return this.#command(device, { kind: 'action', actionId }, 'done', waiting);
  }

  identify(device: string, waiting?: Waiting): Promise<Outcome> {
    return this.#command(device, { kind: 'identify' }, 'answered', waiting);
  }

  /** Lets the device go; it keeps its identity (P 10.8). */
  terminate(device: string, waiting?: Waiting): Promise<Outcome> {
    return this.#command(device, { kind: 'terminate' }, 'left', waiting);
  }

  /** Lets the device go and ends its identity (P 10.8). */
  deregister(device: string, waiting?: Waiting): Promise<Outcome> {
    return this.#command(device, { kind: 'deregister' }, 'left', waiting);
  }

  /** A value: text, a number (as double), or bytes. Resolves when it is signed and stored: devices confirm none. */
  async send(device: string, dataId: string, value: string | number | Uint8Array): Promise<void> {
    const data =
      typeof value === 'string' ? encodeText(value) : typeof value === 'number' ? writeDouble(value) : value;
    await this.#order(device, { kind: 'data', dataId, data });
  }

  /**
   * Software from a file, or by the digest of an artifact that is stored here. Resolves when the device has proven
   * how it ended.
   */
  async update(device: string, software: string, options: UpdateOptions = {}): Promise<Outcome> {
    const { version, activate = true } = options;
    const digest = isDigest(software) ? await this.#stored(software) : await this.#store(software, version);
    const url = artifactUrl(this.url, digest);
    const command: ServerCommand = { kind: 'update', url, digest, activateAtOnce: activate };
    return this.#command(device, command, activate ? 'active' : 'staged', options);
  }

  /** Finishes what runs, and stops. */
  close(): Promise<void> {
    return this.server.close();
  }

  async #command(
    device: string,
    command: ServerCommand,
    good: Outcome['phase'],
    waiting: Waiting = {},
  ): Promise<Outcome> {
    if (command.kind !== 'identify') await this.#acquaint(device, waiting);
    const token = await this.#order(device, command);
    const isSettled = (view: ExchangeView) => view.isFinal || view.exchange.phase === good;
    const { exchange, explanation } = await settle(this.fleet, device, token, isSettled, waiting.signal);
    return { device, token, ok: exchange.phase === good, phase: exchange.phase, explanation };
  }

  /** One that has just joined has not said yet what it is: until then it is not known to confirm (P 10.7). */
  async #acquaint(device: string, waiting: Waiting): Promise<void> {
    const known = await this.fleet.device(device);
    if (known?.standing === 'joined' && known.identification === undefined)
      await this.identify(device, waiting);
  }

  async #order(device: string, command: ServerCommand): Promise<TokenKey> {
    const [receipt] = await this.fleet.command([device], command);
    if (receipt?.ok === true) return receipt.token;
    throw new FleetError('conflict', `${device}: ${receipt?.reason ?? 'nothing was sent'}`);
  }

  async #stored(digest: string): Promise<string> {
    if ((await this.artifacts.find(digest)) !== undefined) return digest;
    throw new FleetError('not-found', `no artifact ${digest} is stored: give the file itself`);
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
      this.#log.error({ err: fault }, 'the joins that wait could not be read');
    }
  }

  async #decide({ device, exchange }: ExchangeView, handler: JoinHandler): Promise<void> {
    if (exchange.kind !== 'join' || exchange.phase !== 'pending') return;
    try {
      const known = await this.fleet.device(device);
      const verdict = known && (await handler(known));
      if (verdict !== undefined) await this.fleet.decideJoin(device, exchange.token, verdict);
    } catch (fault) {
      // Decided meanwhile: by another handler, by an operator, or by its end in time.
      if (fault instanceof FleetError && fault.kind === 'conflict') return;
      this.#log.error({ err: fault, device }, 'a join could not be decided, and stays open');
    }
  }
}
