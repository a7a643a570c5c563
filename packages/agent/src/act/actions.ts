import type { Log } from '@srup/node';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Acted } from '../engine/performers.ts';
import { inTime } from '../ground/in-time.ts';
import type { CommandResult } from '../program/command.ts';
import { reasonOf } from '../ground/trouble.ts';
import { actionName, isDangerous, REBOOT, SELF_DESTRUCT, SELF_TEST } from './table.ts';

/** Does an action: resolves when it is done, rejects when it failed. The signal aborts on timeout or when the agent stops. */
export type ActionHandler = (signal: AbortSignal) => Promise<void> | void;

/** Handlers of a program that has the agent built in, for action ids 0 to 255. */
export interface ActionTable {
  /** Replaces an earlier handler, the configured command and the built-in action of this id. RangeError for other ids. */
  on(actionId: number, handler: ActionHandler): void;
  find(actionId: number): ActionHandler | undefined;
}

export function createActionTable(): ActionTable {
  const handlers = new Map<number, ActionHandler>();
  return {
    on(actionId, handler) {
      if (!Number.isInteger(actionId) || actionId < 0 || actionId > 0xff) {
        throw new RangeError(`an action id is 0 to 255, not ${actionId}`);
      }
      handlers.set(actionId, handler);
    },
    find: (actionId) => handlers.get(actionId),
  };
}

export interface ActionPorts {
  readonly handlers: ActionTable;
  /** Commands by action id, two hex digits. */
  readonly commands: Readonly<Record<string, readonly string[]>>;
  /** Dangerous actions that this device obeys, as two hex digits. */
  readonly allow: readonly string[];
  readonly timeoutMs: number;
  /** Longest time from the success of a reboot command to the restart, in milliseconds. */
  readonly restartMs: number;
  readonly run: (argv: readonly string[], signal: AbortSignal) => Promise<CommandResult>;
  /** Undefined when all is well; otherwise what is wrong. */
  readonly selfTest: () => Promise<string | undefined>;
  /** As in `Surroundings`. */
  readonly oweErasure: () => Promise<void>;
  readonly beginErasure: () => void;
  readonly log: Log;
}

/** Does one action (P 10.5). The engine calls it once for each token. Rejects with the signal's reason only. */
export async function doAction(actionId: number, ports: ActionPorts, signal: AbortSignal): Promise<Acted> {
  const { log, allow } = ports;
  const action = actionName(actionId);
  if (isDangerous(actionId) && !allow.includes(action)) {
    log.warn({ action }, 'dangerous action refused: this device does not allow it');
    return { outcome: 'failed' };
  }
  if (actionId === SELF_DESTRUCT) return promiseErasure(ports);
  const handler = findHandler(actionId, ports);
  if (handler === undefined) return { outcome: 'unknown' };
  if (!(await attempt(action, handler, ports, signal))) return { outcome: 'failed' };
  return actionId === REBOOT ? awaitRestart(ports, signal) : { outcome: 'done' };
}

/**
 * Waits for the restart of the device. The next start proves it and answers the open action (`actionInterrupted`), so
 * this rejects with the signal's reason when the agent ends.
 */
async function awaitRestart({ restartMs, log }: ActionPorts, signal: AbortSignal): Promise<Acted> {
  log.info({}, 'waiting for the restart of the device');
  await sleep(restartMs, undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
  log.warn({}, 'the device was told to restart, and did not');
  return { outcome: 'failed' };
}

function findHandler(actionId: number, ports: ActionPorts): ActionHandler | undefined {
  const argv = ports.commands[actionName(actionId)];
  const builtIn = actionId === SELF_TEST ? () => ports.selfTest().then(failIf) : undefined;
  return ports.handlers.find(actionId) ?? (argv === undefined ? builtIn : commandHandler(argv, ports));
}

/** The device can't answer afterwards, so it records the debt before it answers: a power cut in between changes nothing. */
async function promiseErasure({ oweErasure, beginErasure, log }: ActionPorts): Promise<Acted> {
  try {
    await oweErasure();
  } catch (error) {
    log.error({ reason: reasonOf(error) }, 'the order to erase this device can not be written down');
    return { outcome: 'failed' };
  }
  const afterwards = () => {
    beginErasure();
    return Promise.resolve();
  };
  return { outcome: 'done', afterwards };
}

/** Runs the device's own part of its erasure. A failure of it must not keep the software alive. */
export async function eraseOwnPart(ports: ActionPorts, signal: AbortSignal): Promise<void> {
  const handler = findHandler(SELF_DESTRUCT, ports);
  if (handler !== undefined)
    await attempt(actionName(SELF_DESTRUCT), handler, ports, signal).catch(() => false);
}

function commandHandler(argv: readonly string[], ports: ActionPorts): ActionHandler {
  return async (signal) => {
    const { failure, complaint } = await ports.run(argv, signal);
    if (failure !== undefined) failIf(complaint === '' ? failure : `${failure}: ${complaint}`);
  };
}

function failIf(failure: string | undefined): void {
  if (failure !== undefined) throw new Error(failure);
}

/** False when it failed or took too long. */
async function attempt(
  action: string,
  handler: ActionHandler,
  { timeoutMs, log }: ActionPorts,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await inTime(handler, timeoutMs, signal);
    log.info({ action }, 'action done');
    return true;
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ action, reason: reasonOf(error) }, 'action failed');
    return false;
  }
}
