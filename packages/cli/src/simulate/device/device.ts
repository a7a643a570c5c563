/** One simulated device, from its first connection to its end. */
import { connectMqtt } from '@srup/node';
import type { Identity } from '@srup/protocol';
import { AGENT_VERSION, openSession, type Log, type Session } from '@srup/agent/parts';
import type { Fault } from '../choose.ts';
import { misbehave, openDoublingLink } from './connectivity.ts';
import { followEvents, type Standing } from './course.ts';
import type { KnownDevice } from '../keep.ts';
import { simulatedPerformers } from './performers.ts';
import type { Site } from '../site.ts';

export interface SimulatedDevice {
  readonly number: number;
  readonly faults: ReadonlySet<Fault>;
  isConnected(): boolean;
  standing(): Standing;
  /** Updates that have ended in this run, with success or not. */
  updatesOver(): number;
  /** Whether it works on no update and has nothing left to send. */
  isQuiet(): boolean;
  /** Resolves at the first connection. */
  readonly connected: Promise<void>;
  /** Resolves when it has joined or was refused. */
  readonly answered: Promise<void>;
  /** Deregisters (P 10.8). False when the server did not confirm it in time. */
  leave(withinMs: number): Promise<boolean>;
  close(): Promise<void>;
}

export function startDevice(
  site: Site,
  number: number,
  { credentials, store }: KnownDevice,
  faults: ReadonlySet<Fault>,
): SimulatedDevice {
  const ending = new AbortController();
  let updatesOver = 0;
  const performers = simulatedPerformers(site, number, store, faults, () => {
    updatesOver += 1;
  });
  const wasJoined = (store.get('join') as { phase?: string } | undefined)?.phase === 'joined';
  const course = followEvents(site, number, wasJoined, () => power.off());
  const power = switchFor(() =>
    openSession(credentials, {
      config: { insecurePlainMqtt: false },
      store,
      bootId: undefined,
      log: QUIET,
      clock: site.clock,
      random: site.random,
      performers,
      facts: (self: Identity) => {
        const { digest } = performers.running();
        return {
          self,
          serverSpeaksProfile: true,
          identification: `${WHO}${digest === undefined ? '' : ` ${digest}`}`,
          allowHttp: false,
        };
      },
      onEvent: (event) => {
        course.onEvent(event);
      },
      openLink: faults.has('duplicates') ? openDoublingLink : connectMqtt,
    }),
  );
  const view = () => power.session()?.engine.view() ?? { open: {}, waiting: 0 };
  void power.on();
  const isSettled = () => course.isIntroduced() && view().waiting === 0;
  const misbehaving = misbehave(
    site,
    number,
    faults,
    { up: () => power.on(), down: () => power.off(), isSettled },
    ending.signal,
  );

  return {
    number,
    faults,
    isConnected: () => power.session() !== undefined && course.isConnected(),
    standing: () => course.standing(),
    updatesOver: () => updatesOver,
    isQuiet: () => {
      const { open, waiting } = view();
      const isAtWork = Object.values(open).some(({ kind, phase }) => kind === 'update' && phase !== 'staged');
      return waiting === 0 && !isAtWork;
    },
    connected: course.connected,
    answered: course.answered,
    leave: async (withinMs) => {
      ending.abort();
      await misbehaving;
      await power.on();
      const isConfirmed = course.left(withinMs);
      await power.session()?.engine.leave('deregister');
      return isConfirmed;
    },
    close: async () => {
      ending.abort();
      await power.off();
      await misbehaving;
      await power.off();
    },
  };
}

interface Switch {
  session(): Session | undefined;
  on(): Promise<void>;
  off(): Promise<void>;
}

/** Opens and closes sessions, one after the other. */
function switchFor(open: () => Session): Switch {
  let session: Session | undefined;
  let turn: Promise<void> = Promise.resolve();
  const inTurn = (act: () => Promise<void> | void): Promise<void> => (turn = turn.then(act));
  return {
    session: () => session,
    on: () =>
      inTurn(() => {
        session ??= open();
      }),
    off: () =>
      inTurn(async () => {
        const old = session;
        session = undefined;
        await old?.close();
      }),
  };
}

const WHO = `srup-agent/${AGENT_VERSION} (simulated; node ${process.versions.node})`;
const nothing = (): undefined => undefined;
/** The session's events carry all that is counted, so its log is not needed. */
const QUIET: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
