import {
  FolderLockedError,
  lockFolder,
  makePrivateFolder,
  systemClock,
  systemRandom,
  type Log,
} from '@srup/node';
import type { Clock, DeviceFacts, Identity, Random } from '@srup/protocol';
import type { AgentConfig } from './config/config.ts';
import type { OpenPerformers } from './performers/surroundings.ts';
import type { Performers } from './engine/performers.ts';
import type { ProgramReport } from './engine/report.ts';
import { serveControl, type Ask } from './control/control.ts';
import { openPromise } from './ground/promise.ts';
import type { EnrolmentTools } from './identity/enrol.ts';
import type { Patience } from './identity/moved.ts';
import { homeAt, type Home } from './ground/home.ts';
import { createLife, type LifeEvent } from './life.ts';
import type { MqttTuning } from './session.ts';
import { describeStatus, type AgentStatus } from './control/status.ts';
import { AgentError, reasonOf } from './ground/trouble.ts';
import { realDisk, type Disk } from './vault/disk.ts';
import { isErased, markLeft, readLeft } from './vault/left.ts';
import { AGENT_VERSION } from './ground/version.ts';

export type AgentEvent = LifeEvent;

export interface AgentOptions {
  readonly config: AgentConfig;
  /** Home folder, made if it is missing. One agent works in it at a time. */
  readonly home: string;
  readonly log: Log;
  readonly openPerformers: OpenPerformers;
  readonly onEvent?: (event: AgentEvent) => void;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly disk?: Disk;
  readonly mqtt?: MqttTuning;
  readonly enrolmentBackoff?: EnrolmentTools['backoff'];
  readonly brokerPatience?: Patience;
  /** Keeps the enrolment code of a `join` for the next start: the device can lose power before it is used. */
  readonly keepCode?: (code: string) => Promise<void>;
}

export interface RunningAgent {
  /** Resolves when the server has accepted this device, now or before. It stays pending if the server does not. */
  readonly joined: Promise<void>;
  /**
   * Resolves when the agent is stopped; rejects with `AgentError` when its folder can no longer be used. An agent that can't
   * register keeps its program running, and its status says why.
   */
  readonly ended: Promise<void>;
  status(): AgentStatus;
  /**
   * Asks to join. A device that gave up its identity, or that its key service no longer knows (P 10.8), first registers
   * anew, with this enrolment code if there is one.
   */
  join(enrolmentCode?: string): Promise<void>;
  leave(what: 'resign' | 'deregister'): Promise<void>;
  readonly report: ProgramReport;
  stop(): Promise<void>;
}

/**
 * Starts the program of the device, and beside it enrols, joins and obeys until it is stopped. Resolves when the program
 * runs; a device that erased itself has none until it is ordered to join. `AgentError` when another agent works in the
 * folder, or the folder can't be used.
 *
 * @example
 * const config = parseConfig({ url, caFingerprint, type: 'pump' }, 'agent.json');
 * const agent = await startAgent({ config, home: './pump', log, openPerformers: createPerformers });
 * await agent.joined;
 */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const home = homeAt(options.home);
  const lock = await lockHome(home);
  try {
    return await startIn(home, options, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function lockHome(home: Home) {
  try {
    await makePrivateFolder(home.folder);
    return await lockFolder(home.folder);
  } catch (error) {
    if (!(error instanceof FolderLockedError)) {
      throw new AgentError(
        `the folder of the agent can't be written to: ${reasonOf(error)}`,
        'Give it a folder of its own, with room, on a disk that is not read-only (--home).',
        error,
      );
    }
    throw new AgentError(
      `another agent works already: ${error.message}`,
      'Stop it first, or use another --home.',
      error,
    );
  }
}

async function startIn(
  home: Home,
  options: AgentOptions,
  release: () => Promise<void>,
): Promise<RunningAgent> {
  const { config, log, clock = systemClock, random = systemRandom, disk = realDisk } = options;
  warnOfSafetiesOff(config, log);
  const startedAt = clock.now();
  const stopping = new AbortController();
  const joined = openPromise<undefined>();

  function onEvent(event: LifeEvent): void {
    if (event.what === 'join') {
      log.info({ phase: event.phase }, 'standing with the server');
      if (event.phase === 'joined') joined.resolve(undefined);
    }
    options.onEvent?.(event);
  }

  const { mqtt, enrolmentBackoff, brokerPatience, keepCode } = options;
  const life = createLife({
    ...{ config, home, log, clock, random, disk, onEvent },
    facts: (self, { reference }, performers) => factsOf(self, reference !== true, config, performers),
    signal: stopping.signal,
    ...(mqtt && { mqtt }),
    ...(enrolmentBackoff && { enrolmentBackoff }),
    ...(brokerPatience && { brokerPatience }),
    ...(keepCode && { keepCode }),
  });
  // The program can report before the state is read: then the report waits.
  const report: ProgramReport = async (dataId, data) => {
    await life.begun;
    return (await life.session()?.engine.report(dataId, data)) ?? 'unjoined';
  };
  const performers = options.openPerformers({
    ...{ config, home, log, clock, random, report },
    ca: () => life.session()?.credentials.ca ?? '',
    oweErasure: () => markLeft(home, { how: 'erasing', at: clock.now() }),
    beginErasure: life.erase,
  });
  if (!isErased(await readLeft(home))) await performers.start();

  const over = life.start(performers);
  // It can be over while the next lines wait: `ended` says so.
  over.catch(() => undefined);
  const status = () => describeStatus(life, performers, config, startedAt);

  async function answer(ask: Ask, code: string | undefined): Promise<AgentStatus> {
    if (ask === 'join') await life.join(code);
    else if (ask !== 'status') await life.leave(ask);
    return status();
  }
  const control = await serveControl(home.socket, answer).catch((error: unknown) => {
    log.warn({ reason: reasonOf(error) }, 'this agent can not be asked for its status');
  });

  const ended = over.finally(async () => {
    await performers.stop();
    await control?.close();
    await release();
  });
  ended.catch(() => undefined); // whoever waits for it gets it
  return {
    joined: joined.promise,
    ended,
    status,
    join: life.join,
    leave: life.leave,
    report,
    stop: async () => {
      stopping.abort();
      await ended.catch(() => undefined);
    },
  };
}

/** Plain MQTT is warned of with each session: only then it is known whether the broker speaks it. */
function warnOfSafetiesOff({ fetch, actions, referenceServer }: AgentConfig, log: Log): void {
  if (referenceServer)
    log.warn(
      {},
      'A REFERENCE SERVER IS TAKEN (referenceServer): only TLS tells its key service from another, and it hears less of this device (P 8.2, 10.11)',
    );
  if (fetch.allowHttp)
    log.warn({}, 'SOFTWARE OVER PLAIN HTTP IS TAKEN (fetch.allowHttp): for tests only (P 10.2)');
  if (actions.allow.length > 0)
    log.warn({ allow: actions.allow }, 'dangerous actions are obeyed (actions.allow, P 10.5)');
}

/** `speaksProfile`: the key service proved itself, so it and its default server speak this profile (P 10.6). */
function factsOf(
  self: Identity,
  speaksProfile: boolean,
  config: AgentConfig,
  performers: Performers,
): DeviceFacts {
  const { digest, program } = performers.running();
  const platform = `${process.platform} ${process.arch}; node ${process.versions.node}`;
  return {
    self,
    serverSpeaksProfile: speaksProfile,
    identification: `srup-agent/${AGENT_VERSION} (${platform}) ${program}${digest === undefined ? '' : ` ${digest}`}`,
    allowHttp: config.fetch.allowHttp,
    ...(config.fetch.hosts && { hosts: config.fetch.hosts }),
  };
}
