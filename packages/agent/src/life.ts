/** The life of a device as its server knows it: one identity after the other, from enrolment to the end. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '@srup/node';
import type { Clock, DeviceFacts, Identity, Random } from '@srup/protocol';
import type { AgentConfig } from './config.ts';
import type { Performers } from './contract.ts';
import { defer, type Deferred } from './deferred.ts';
import type { EngineEvent } from './engine/engine.ts';
import { readBootId } from './engine/watch.ts';
import { enrol, type EnrolmentTools } from './enrol/enrol.ts';
import { followBroker, type Patience } from './enrol/moved.ts';
import { keepRenewed } from './enrol/renew.ts';
import type { Home } from './home.ts';
import type { Log } from './log.ts';
import { openSession, type LinkEvent, type Session, type MqttTuning } from './session.ts';
import { AgentError } from './trouble.ts';
import type { Disk } from './vault/disk.ts';
import { forgetIdentity, loadCredentials, type Credentials, type DeviceIdentity } from './vault/identity.ts';
import { clearLeft, giveUpIdentity, isErased, markLeft, readLeft, type Left } from './vault/left.ts';
import { openStore } from './vault/store.ts';

export type LifeEvent = EngineEvent | LinkEvent | { readonly what: 'enrolled'; readonly id: string };

/** What Node's timers can wait, in milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface LifeTools {
  readonly config: AgentConfig;
  readonly home: Home;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly performers: Performers;
  readonly facts: (self: Identity, identity: DeviceIdentity) => DeviceFacts;
  readonly onEvent: (event: LifeEvent) => void;
  readonly signal: AbortSignal;
  readonly mqtt?: MqttTuning;
  readonly enrolmentBackoff?: EnrolmentTools['backoff'];
  readonly brokerPatience?: Patience;
}

export interface Life {
  /** Resolves as soon as it is known who this device is, or that it is nobody yet. */
  readonly begun: Promise<void>;
  /** Until the signal. `AgentError`: a person has to help. */
  readonly over: Promise<void>;
  readonly session: () => Session | undefined;
  /** The identity was given up, and nobody has said yet that there shall be another. */
  isUnregistered(): boolean;
  readonly join: () => Promise<void>;
  readonly leave: (what: 'resign' | 'deregister') => Promise<void>;
  /** Action 09 (P 10.5), which `left.json` says is owed: the identity ends now, and the software after it. */
  erase(): void;
}

export function liveOn(tools: LifeTools): Life {
  const { config, home, log, clock, performers, signal } = tools;
  let session: Session | undefined;
  /** How the present identity ends; undefined: with the agent. */
  let end: Deferred<Left['how'] | undefined> | undefined;
  /** A device that is nobody waits for it. */
  let told: Deferred<undefined> | undefined;
  const begun = defer<undefined>();
  const isStopping = () => signal.aborted;
  signal.addEventListener('abort', () => {
    end?.resolve(undefined);
    told?.resolve(undefined);
  });

  async function live(): Promise<void> {
    while (!isStopping()) {
      await comeBack();
      const credentials = await becomeSomebody();
      if (credentials === undefined) return;
      const how = await spend(credentials);
      if (how === undefined) return;
      await giveUpIdentity(home, { how, at: clock.now() });
      log.warn({ id: credentials.identity.id, how }, 'the identity of this device is forgotten');
    }
  }

  /** A device that gave up its identity waits to be told, unless it is to register anew by itself (P 10.8). */
  async function comeBack(): Promise<void> {
    const left = await readLeft(home);
    if (left === undefined) return;
    await forgetIdentity(home); // a power cut may have come in between
    if (left.how === 'erasing') {
      await performers.erase();
      await markLeft(home, { how: 'erased', at: clock.now() });
      log.warn({}, 'this device has erased its identity and its software');
    }
    if (isErased(left) || config.rejoin === 'no') {
      log.info({}, 'unregistered: "srup agent join" makes this device register again');
      told = defer();
      begun.resolve(undefined);
      if (isStopping()) told.resolve(undefined);
      // Neither a connection nor a program keeps this process alive now.
      const alive = setInterval(() => undefined, LONGEST_TIMER_MS);
      await told.promise;
      clearInterval(alive);
      told = undefined;
    }
    if (isStopping()) return;
    if (isErased(left)) await performers.start();
    await clearLeft(home);
  }

  /** Undefined when the agent stops before that. */
  async function becomeSomebody(): Promise<Credentials | undefined> {
    if (isStopping()) return undefined;
    const known = await loadCredentials(home);
    if (known !== undefined) {
      if (known.identity.type !== config.type || known.identity.suite !== config.suite) {
        log.warn(known.identity, 'type and keys are those of the registration: deregister to change them');
      }
      return known;
    }
    begun.resolve(undefined);
    await rm(home.state, { recursive: true, force: true }); // of an identity that is no more
    const { random, enrolmentBackoff } = tools;
    const backoff = enrolmentBackoff === undefined ? {} : { backoff: enrolmentBackoff };
    try {
      const credentials = await enrol(config, home, { log, clock, random, signal, ...backoff });
      tools.onEvent({ what: 'enrolled', id: credentials.identity.id });
      return credentials;
    } catch (error) {
      if (isStopping()) return undefined;
      throw error;
    }
  }

  async function spend(credentials: Credentials): Promise<Left['how'] | undefined> {
    end = defer();
    await mkdir(home.state, { recursive: true, mode: 0o700 });
    await syncFolder(home.folder); // or a power cut takes the journal with its folder
    const store = await openStore(join(home.state, 'journal'), tools.disk, log);
    const open = openSession(credentials, { ...tools, store, bootId: await readBootId(), onEvent });
    session = open;
    begun.resolve(undefined);
    const renewal = keepRenewed(open, home, config, tools);
    const following = followBroker(open, home, config, tools, tools.brokerPatience);
    if (isStopping()) end.resolve(undefined);
    const how = await end.promise;
    renewal.stop();
    following.stop();
    session = undefined;
    await open.close();
    return how;
  }

  function onEvent(event: EngineEvent | LinkEvent): void {
    if (event.what === 'dropped') end?.resolve('deregistered');
    tools.onEvent(event);
  }

  return {
    begun: begun.promise,
    over: live().finally(() => {
      begun.resolve(undefined);
    }),
    session: () => session,
    isUnregistered: () => told !== undefined,
    join: async () => {
      told?.resolve(undefined);
      await session?.engine.join();
    },
    leave: async (what) => {
      if (session === undefined) throw new AgentError('this device is not registered');
      await session.engine.leave(what);
    },
    erase: () => {
      end?.resolve('erasing');
    },
  };
}
