/** One simulated device, from its first connection to its end. */
import { connectMqtt } from '@srup/node';
import type { Identity } from '@srup/protocol';
import {
  AGENT_VERSION,
  defer,
  openSession,
  reasonOf,
  type EngineEvent,
  type LinkEvent,
  type Log,
  type Session,
} from '@srup/agent/parts';
import type { Fault } from './choose.ts';
import { misbehave, openDoublingLink } from './connectivity.ts';
import type { KnownDevice } from './keep.ts';
import { simulatedPerformers } from './performers.ts';
import type { Site } from './site.ts';

export type Standing = 'asking' | 'joined' | 'out' | 'left';

export interface SimulatedDevice {
  readonly number: number;
  readonly faults: ReadonlySet<Fault>;
  isConnected(): boolean;
  standing(): Standing;
  /** Updates that came to their end in this run, one way or another. */
  updatesOver(): number;
  /** It works on no update, and has nothing left to say. */
  isQuiet(): boolean;
  /** Resolves at the first connection. */
  readonly connected: Promise<void>;
  /** Resolves when it is joined, or was turned away. */
  readonly answered: Promise<void>;
  /** Deregisters (P 10.8). False when the server did not confirm it in time. */
  leave(withinMs: number): Promise<boolean>;
  close(): Promise<void>;
}

const STANDINGS: Readonly<Record<string, Standing>> = {
  joined: 'joined',
  refused: 'out',
  failed: 'out',
  left: 'left',
};

export function startDevice(
  site: Site,
  number: number,
  { credentials, store }: KnownDevice,
  faults: ReadonlySet<Fault>,
): SimulatedDevice {
  const { meter, clock, random } = site;
  const began = performance.now();
  const ending = new AbortController();
  const connected = defer<undefined>();
  const answered = defer<undefined>();
  const left = defer<boolean>();
  let connectedAt: number | undefined;
  let isConnected = false;
  let standing: Standing = 'asking';
  let updatesOver = 0;
  let wasIdentified = false;
  let isLeaving = false;
  const performers = simulatedPerformers(site, number, store, faults, () => {
    updatesOver += 1;
  });
  const platform = `simulated; node ${process.versions.node}`;

  function onEvent(event: EngineEvent | LinkEvent): void {
    switch (event.what) {
      case 'connected':
        if (connectedAt === undefined) meter.time('connect', performance.now() - began);
        connectedAt ??= performance.now();
        isConnected = true;
        connected.resolve(undefined);
        break;
      case 'disconnected':
        isConnected = false;
        meter.trouble(`disconnected: ${event.reason}`);
        break;
      case 'join':
        onJoin(STANDINGS[event.phase] ?? 'asking');
        break;
      case 'refused':
        meter.refused(event.code);
        break;
      case 'accepted':
        if (event.type === 'ID_REQUEST') wasIdentified = true;
        break;
      case 'dropped':
        left.resolve(true);
        site.keep.forget(number).catch((error: unknown) => {
          meter.trouble(reasonOf(error));
        });
        // Its certificate is revoked soon, and it would knock in vain for ever.
        if (!isLeaving) void down();
        break;
    }
  }

  function onJoin(next: Standing): void {
    if (next === 'joined' && standing === 'asking' && connectedAt !== undefined)
      meter.time('join', performance.now() - connectedAt);
    standing = next;
    if (next !== 'asking') answered.resolve(undefined);
  }

  function open(): Session {
    return openSession(credentials, {
      config: { insecurePlainMqtt: false },
      store,
      bootId: undefined,
      log: QUIET,
      clock,
      random,
      performers,
      facts: (self: Identity) => {
        const { digest } = performers.running();
        return {
          self,
          serverSpeaksProfile: true,
          identification: `srup-agent/${AGENT_VERSION} (${platform})${digest === undefined ? '' : ` ${digest}`}`,
          allowHttp: false,
        };
      },
      onEvent,
      openLink: faults.has('duplicates') ? openDoublingLink : connectMqtt,
    });
  }

  let session: Session | undefined;
  /** Opening and closing, one after the other. */
  let turn: Promise<void> = Promise.resolve();
  const inTurn = (act: () => Promise<void> | void): Promise<void> => (turn = turn.then(act));
  const up = () =>
    inTurn(() => {
      session ??= open();
    });
  const down = () =>
    inTurn(async () => {
      const old = session;
      session = undefined;
      await old?.close();
      isConnected = false;
    });

  const wasJoined = (store.get('join') as { phase?: string } | undefined)?.phase === 'joined';
  // It was let in by an earlier run, and has told then who it is.
  if (wasJoined) {
    wasIdentified = true;
    standing = 'joined';
  }
  void up();
  const isSettled = () =>
    standing === 'joined' && wasIdentified && (session?.engine.view().waiting ?? 0) === 0;
  const misbehaving = misbehave(site, number, faults, { up, down, isSettled }, ending.signal);

  return {
    number,
    faults,
    isConnected: () => isConnected,
    standing: () => standing,
    updatesOver: () => updatesOver,
    isQuiet: () => {
      const { open: exchanges, waiting } = session?.engine.view() ?? { open: {}, waiting: 0 };
      const isAtWork = Object.values(exchanges).some(
        ({ kind, phase }) => kind === 'update' && phase !== 'staged',
      );
      return waiting === 0 && !isAtWork;
    },
    connected: connected.promise,
    answered: answered.promise,
    leave: async (withinMs) => {
      isLeaving = true;
      ending.abort();
      await misbehaving;
      await up();
      const late = setTimeout(() => {
        left.resolve(false);
      }, withinMs);
      await session?.engine.leave('deregister');
      const isConfirmed = await left.promise;
      clearTimeout(late);
      return isConfirmed;
    },
    close: async () => {
      ending.abort();
      await down();
      await misbehaving;
      await down();
    },
  };
}

const nothing = (): undefined => undefined;
/** Events tell all that is counted. */
const QUIET: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
