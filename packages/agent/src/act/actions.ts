import type { Log } from '@srup/node';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Acted } from '../engine/performers.ts';
import { inTime } from '../ground/in-time.ts';
import type { CommandResult } from '../program/command.ts';
import { reasonOf } from '../ground/trouble.ts';
import { actionName, isDangerous, REBOOT, SELF_DESTRUCT, SELF_TEST } from './table.ts';

/** Does an action. Resolves when it is done, rejects when it failed; the signal aborts when time is up or the agent stops. */
export type ActionHandler = (signal: AbortSignal) => Promise<void> | void;

/** Handlers of a program that has the agent built in. Ids 0 to 255. */
export interface ActionTable {
  /** Takes the place of the handler before, of the configured command and of the built-in action of this id. */
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
  /** By two hex digits. */
  readonly commands: Readonly<Record<string, readonly string[]>>;
  /** Dangerous ones that are obeyed, by two hex digits. */
  readonly allow: readonly string[];
  readonly timeoutMs: number;
  /** From the success of a reboot's command to the end of the device, at most. */
  readonly restartMs: number;
  readonly run: (argv: readonly string[], signal: AbortSignal) => Promise<CommandResult>;
  /** Undefined: all is well; else what is not. */
  readonly selfTest: () => Promise<string | undefined>;
  /** As in `Surroundings`. */
  readonly oweErasure: () => Promise<void>;
  readonly beginErasure: () => void;
  readonly log: Log;
}

/** P 10.5. Called once a token; the engine sees to that. Rejects with the signal's reason only. */
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
 * A restart is proven by the start of the device that comes after it, where what is open is answered
 * (`actionInterrupted`). Here it is only awaited: rejects with the signal's reason when the agent ends.
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

/** It can't be answered afterwards, so it is owed before it is answered: a power cut in between changes nothing. */
async function promiseErasure({ oweErasure, beginErasure, log }: ActionPorts): Promise<Acted> {
  try {
    await oweErasure();
  } catch (error) {
    log.error({ reason: reasonOf(error) }, 'that this device is to erase itself can not be written down');
    return { outcome: 'failed' };
  }
  const afterwards = () => {
    beginErasure();
    return Promise.resolve();
  };
  return { outcome: 'done', afterwards };
}

/** The device's own part of its erasure; its failure must not keep the software alive. */
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

/** False: it failed, or took too long. */
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
