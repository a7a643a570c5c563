/** The life of a device: one identity after the other, each from enrolment to its end. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, type Log } from '@srup/node';
import type { Clock, DeviceFacts, Identity, Random } from '@srup/protocol';
import type { AgentConfig } from './config/config.ts';
import type { Performers } from './engine/performers.ts';
import { openPromise, type OpenPromise } from './ground/promise.ts';
import type { EngineEvent } from './engine/turn.ts';
import { readBootId } from './ground/boot-id.ts';
import { findEnding, type Ending } from './identity/ending.ts';
import type { EnrolmentTools } from './identity/enrol.ts';
import { followBroker, type Patience } from './identity/moved.ts';
import { makeRegistrar } from './identity/registrar.ts';
import { keepRenewed } from './identity/renew.ts';
import type { Home } from './ground/home.ts';
import { openSession, type LinkEvent, type Session, type MqttTuning } from './session.ts';
import { AgentError } from './ground/trouble.ts';
import type { Disk } from './vault/disk.ts';
import { forgetIdentity, loadCredentials, type Credentials, type DeviceIdentity } from './vault/identity.ts';
import { clearLeft, giveUpIdentity, isErased, markLeft, readLeft, type Left } from './vault/left.ts';
import { openStore } from './vault/store.ts';

export type LifeEvent =
  | EngineEvent
  | LinkEvent
  | { readonly what: 'enrolled'; readonly id: string }
  /** The device could not register. It tries again after a while, and when it is ordered to join. */
  | { readonly what: 'unregistered'; readonly error: AgentError };

export interface LifeTools {
  readonly config: AgentConfig;
  readonly home: Home;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly facts: (self: Identity, identity: DeviceIdentity, performers: Performers) => DeviceFacts;
  readonly onEvent: (event: LifeEvent) => void;
  readonly signal: AbortSignal;
  readonly mqtt?: MqttTuning;
  readonly enrolmentBackoff?: EnrolmentTools['backoff'];
  readonly brokerPatience?: Patience;
  readonly keepCode?: (code: string) => Promise<void>;
}

export interface Life {
  /**
   * Begins. Call it once. Resolves after the signal; rejects with `AgentError` when the content of the folder can't be
   * used.
   */
  start(performers: Performers): Promise<void>;
  /** Resolves when it is known whether this device has an identity; not before `start`. */
  readonly begun: Promise<void>;
  readonly session: () => Session | undefined;
  /** The identity was given up and nobody has ordered another one yet; or there is `trouble`. */
  isUnregistered(): boolean;
  /** Why it could not register. */
  trouble(): AgentError | undefined;
  /** How the present identity ended, if the key service says so. */
  ending(): Ending | undefined;
  readonly join: (enrolmentCode?: string) => Promise<void>;
  readonly leave: (what: 'resign' | 'deregister') => Promise<void>;
  /** Begins action 09 (P 10.5), which `left.json` says is owed: the identity ends now, and the software after it. */
  readonly erase: () => void;
}

/**
 * Makes the life of the device in this folder, and does nothing yet. Performers use it (they report values, and fetch with
 * its CA), so it is there before them.
 *
 * @example
 * const life = createLife({ config, home, log, clock, random, disk, facts, onEvent, signal });
 * const performers = openPerformers({ ...surroundings, ca: () => life.session()?.credentials.ca ?? '' });
 * await life.start(performers);
 */
export function createLife(tools: LifeTools): Life {
  const { config, home, log, clock, signal } = tools;
  let session: Session | undefined;
  /** Resolves with how the present identity ends; undefined: it goes on after the agent stops. */
  let end: OpenPromise<Left['how'] | undefined> | undefined;
  let ending: Ending | undefined;
  const onTrouble = (error: AgentError) => {
    tools.onEvent({ what: 'unregistered', error });
  };
  const registrar = makeRegistrar({ ...tools, onTrouble });
  const begun = openPromise<undefined>();
  const isStopping = () => signal.aborted;
  signal.addEventListener('abort', () => end?.resolve(undefined));

  async function live(performers: Performers): Promise<void> {
    while (!isStopping()) {
      await comeBack(performers);
      const credentials = await becomeSomebody();
      if (credentials === undefined) return;
      const how = await spend(credentials, performers);
      if (how === undefined) return;
      await giveUpIdentity(home, { how, at: clock.now() });
      log.warn({ id: credentials.identity.id, how }, 'the identity of this device is forgotten');
    }
  }

  /** Makes a device that gave up its identity wait for an order, unless it should register anew by itself (P 10.8). */
  async function comeBack(performers: Performers): Promise<void> {
    const left = await readLeft(home);
    if (left === undefined) return;
    await forgetIdentity(home); // a power cut can have come in between
    if (left.how === 'erasing') {
      await performers.erase();
      await markLeft(home, { how: 'erased', at: clock.now() });
      log.warn({}, 'this device has erased its identity and its software');
    }
    if (!registrar.isWanted() && (isErased(left) || config.rejoin === 'no')) {
      log.info({}, 'unregistered: "srup agent join" makes this device register again');
      begun.resolve(undefined);
      await registrar.untilWanted();
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
    await rm(home.state, { recursive: true, force: true }); // of an identity that has ended
    const credentials = await registrar.register();
    if (credentials !== undefined) tools.onEvent({ what: 'enrolled', id: credentials.identity.id });
    return credentials;
  }

  async function spend(credentials: Credentials, performers: Performers): Promise<Left['how'] | undefined> {
    end = openPromise();
    await mkdir(home.state, { recursive: true, mode: 0o700 });
    await syncFolder(home.folder); // or a power cut takes the journal with its folder
    const store = await openStore(join(home.state, 'journal'), tools.disk, log);
    const open = openSession(credentials, {
      ...tools,
      ...{ store, performers, onEvent, bootId: await readBootId() },
      facts: (self, identity) => tools.facts(self, identity, performers),
    });
    session = open;
    registrar.done();
    begun.resolve(undefined);
    const renewal = keepRenewed(open, home, config, tools);
    const following = followBroker(
      open,
      home,
      config,
      { ...tools, onEnding: hearEnding },
      tools.brokerPatience,
    );
    if (isStopping()) end.resolve(undefined);
    const how = await end.promise;
    renewal.stop();
    following.stop();
    session = undefined;
    await open.close();
    await store.close();
    return how;
  }

  /** The identity has ended. But only the owner, now or by `rejoin`, makes this device give it up. */
  function hearEnding(heard: Ending | undefined): void {
    if (heard !== undefined && heard !== ending) {
      const hint = '"srup agent join" makes this device register as another one';
      log.warn({ ending: heard, hint }, 'the identity of this device is over, says its key service');
    }
    ending = heard;
    if (heard !== undefined && config.rejoin === 'yes') dropIdentity();
  }

  function dropIdentity(): void {
    end?.resolve('deregistered');
    session = undefined;
    ending = undefined;
  }

  /** Gives the present identity up if it is over, for an owner who wants another one or none. */
  async function dropIfEnded(asked: Session): Promise<boolean> {
    const heard = await findEnding(asked.credentials, config, tools);
    if (heard === undefined || session !== asked) return false;
    hearEnding(heard);
    dropIdentity();
    return true;
  }

  function onEvent(event: EngineEvent | LinkEvent): void {
    if (event.what === 'dropped') end?.resolve('deregistered');
    if (event.what === 'connected') ending = undefined;
    tools.onEvent(event);
  }

  return {
    start: (performers) =>
      live(performers).finally(() => {
        begun.resolve(undefined);
      }),
    begun: begun.promise,
    session: () => session,
    isUnregistered: () => registrar.isWaiting() || registrar.trouble() !== undefined,
    trouble: registrar.trouble,
    ending: () => ending,
    join: async (enrolmentCode) => {
      const known = session;
      if (known !== undefined && !(await dropIfEnded(known))) {
        await known.engine.join();
        return;
      }
      await registrar.want(enrolmentCode);
    },
    leave: async (what) => {
      const known = session;
      if (known === undefined) throw new AgentError('this device is not registered');
      if (what === 'deregister' && (await dropIfEnded(known))) return;
      await known.engine.leave(what);
    },
    erase: () => {
      end?.resolve('erasing');
    },
  };
}
