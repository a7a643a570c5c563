import { rm } from 'node:fs/promises';
import { syncFolder } from '@srup/node';
import type { FetchOutcome } from '@srup/protocol';
import {
  type ActionPorts,
  type ActionTable,
  createActionTable,
  doAction,
  eraseOwnPart,
} from '../act/actions.ts';
import { testSelf } from '../act/self-test.ts';
import type { Performers, RunningSoftware } from '../engine/performers.ts';
import type { Surroundings } from './surroundings.ts';
import { createDataTable, type DataTable } from '../data/data-table.ts';
import { deliverData } from '../data/deliver.ts';
import { AgentError, reasonOf } from '../ground/trouble.ts';
import { fetchSoftware, type Wanted } from '../software/fetch/fetch.ts';
import { assemble, type Hooks, type Parts } from './assemble.ts';
import { adoptFactory } from '../software/factory.ts';
import { isLoopback } from '../program/health.ts';

/** What a program that has the agent built in can add. */
export interface PerformerExtras extends Hooks {
  readonly actions?: ActionTable;
  readonly data?: DataTable;
}

/** After this time a device that was told to restart has begun to, or never will. Milliseconds. */
const RESTART_MS = 300_000;

/**
 * Everything that a device does, behind the engine's port.
 *
 * @example
 * const agent = await startAgent({ config, home, log, openPerformers: createPerformers });
 */
export function createPerformers(surroundings: Surroundings, extras: PerformerExtras = {}): Performers {
  const { config, home, log, clock } = surroundings;
  const handlers = extras.actions ?? createActionTable();
  const takers = extras.data ?? createDataTable();
  let stopping = new AbortController();
  const timeoutMs = config.actions.timeoutSeconds * 1000;
  let fetching: Promise<unknown> = Promise.resolve();
  let parts: Parts | undefined;

  function opened(): Parts {
    if (parts === undefined) throw new Error('the performers were not started');
    return parts;
  }

  const untilStopped = (signal: AbortSignal) => AbortSignal.any([signal, stopping.signal]);

  function running(): RunningSoftware {
    if (parts === undefined) return { program: 'none', restarts: 0 };
    const digest = parts.switch.current;
    return { ...parts.installer.state(), ...(digest === undefined ? {} : { digest }) };
  }

  async function fetch(wanted: Wanted, signal: AbortSignal): Promise<FetchOutcome> {
    const { fetch: ports, switch: software } = opened();
    const { digest } = wanted;
    try {
      const { outcome, reason } = await fetchSoftware(wanted, ports, signal);
      if (outcome === 'ok') {
        log.info({ digest }, 'software staged');
        await software.collect(digest);
      } else log.warn({ digest, outcome, reason }, 'software could not be fetched');
      return outcome;
    } catch (error) {
      signal.throwIfAborted();
      log.error({ reason: reasonOf(error) }, 'software could not be kept');
      return 'no-file';
    }
  }

  async function stop(): Promise<void> {
    stopping.abort(new Error('the agent stops'));
    await fetching;
    await parts?.switch.idle();
    await parts?.installer.stop();
    await parts?.socket?.close();
  }

  async function erase(): Promise<void> {
    // After a power cut, assembling finds what ran before and ends it.
    parts ??= await assemble(surroundings, extras);
    await eraseOwnPart(actionPorts(), stopping.signal);
    await stop();
    await parts.installer.clear();
    await removeSoftware();
    parts = undefined;
    stopping = new AbortController();
  }

  async function removeSoftware(): Promise<void> {
    try {
      await rm(home.software, { recursive: true, force: true });
      await syncFolder(home.folder);
    } catch (error) {
      throw new AgentError(
        `The software of this device can't be erased: ${reasonOf(error)}.`,
        `Remove ${home.software}, and start the agent again.`,
        error,
      );
    }
  }

  function actionPorts(): ActionPorts {
    const { run, folders } = opened();
    const { oweErasure, beginErasure } = surroundings;
    return {
      handlers,
      commands: config.actions.commands,
      allow: config.actions.allow,
      timeoutMs,
      restartMs: RESTART_MS,
      run: (argv, until) => run(argv, { timeoutMs, signal: until }),
      selfTest: () => testSelf({ folder: folders.root, running, clock }),
      ...{ oweErasure, beginErasure, log },
    };
  }

  return {
    running,
    stop,
    erase,
    async start() {
      const { url } = config.health;
      if (url !== undefined && !isLoopback(url)) {
        throw new AgentError(
          `The health address ${url} is not on this device.`,
          'Use http://127.0.0.1:PORT/...',
        );
      }
      parts = await assemble(surroundings, extras);
      await adoptFactory({ ...parts, software: config.software, log });
      await parts.switch.start(stopping.signal);
    },
    fetch({ url, digest }, signal) {
      // One at a time: two tokens can want the same file, and the second finds what the first has loaded.
      const turn = fetching.then(() => fetch({ url, digest }, untilStopped(signal)));
      fetching = turn.catch(() => undefined);
      return turn;
    },
    install({ token, digest }, signal) {
      return opened().switch.install({ token, digest }, untilStopped(signal));
    },
    act({ actionId }, signal) {
      return doAction(actionId, actionPorts(), untilStopped(signal));
    },
    deliver({ dataId, data }, signal) {
      const { run, supervisor, socket } = opened();
      const write = (text: string) => {
        const taken = [config.data.stdin && supervisor.write(text), socket?.write(text)];
        return taken.includes(true);
      };
      const ports = {
        ...{ rules: config.data, handlers: takers, timeoutMs, write },
        run: (argv: readonly string[], input: Uint8Array, until: AbortSignal) =>
          run(argv, { timeoutMs, input, signal: until }),
        log,
      };
      return deliverData({ dataId, data }, ports, untilStopped(signal));
    },
  };
}
