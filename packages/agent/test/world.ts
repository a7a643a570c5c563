/** Everything around an agent, real: a broker over TLS, a key service over HTTPS, a server that a test scripts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeys, type KeySet } from '@srup/node';
import type { TokenKey } from '@srup/protocol';
import { startAgent, type AgentOptions, type RunningAgent } from '../src/agent.ts';
import { parseConfig, type AgentConfig, type AgentConfigInput } from '../src/config/config.ts';
import { startBroker, type TestBroker } from '../../node/test/broker.ts';
import { until } from '@srup/node/testing';
import { startC2, type TestC2 } from './c2.ts';
import { startKeyService, type TestKeyService } from './key-service.ts';
import { makeLog } from './log.ts';
import { notePerformers, type Noted } from './performers.ts';

export const SERVER_ID = 0xb9d077e223834cf6n;

export interface World {
  readonly broker: TestBroker;
  readonly service: TestKeyService;
  readonly c2: TestC2;
  readonly serverKeys: KeySet;
  readonly home: string;
  readonly log: ReturnType<typeof makeLog>;
  config(input?: Partial<AgentConfigInput>): AgentConfig;
  /** Starts the agent in `home`; `close` stops it. */
  start(
    options?: Partial<AgentOptions>,
    input?: Partial<AgentConfigInput>,
  ): Promise<{ agent: RunningAgent; noted: Noted }>;
  /** Starts, lets the server meet the device, and accepts its join. */
  join(
    options?: Partial<AgentOptions>,
    input?: Partial<AgentConfigInput>,
  ): Promise<{ agent: RunningAgent; noted: Noted }>;
  /** The server gets to know the device that enrolled last. */
  meet(): Promise<string>;
  /** What the device answers to this token, the n-th time (first: 1). */
  statusOf(token: TokenKey, nth?: number): Promise<number>;
  /** Proves that everything sent before was dealt with: a later question is answered. */
  roundTrip(): Promise<void>;
  close(): Promise<void>;
}

export const QUICK = { backoff: { leastMs: 10, mostMs: 50 } };

export async function makeWorld(): Promise<World> {
  const broker = await startBroker();
  const serverKeys = await generateKeys('ed25519');
  const service = await startKeyService({
    ca: broker.ca,
    broker: broker.url,
    server: SERVER_ID.toString(16),
    serverPem: () => serverKeys.signing.publicPem,
  });
  const c2 = await startC2(broker, SERVER_ID, serverKeys);
  const home = await mkdtemp(join(tmpdir(), 'srup-agent-'));
  const log = makeLog();
  const agents: RunningAgent[] = [];

  const world: World = {
    ...{ broker, service, c2, serverKeys, home, log },
    config: (input = {}) =>
      parseConfig({ url: service.url, caFingerprint: broker.ca.fingerprint, type: 'demo', ...input }, 'test'),
    start: async (options = {}, input = {}) => {
      const noted = notePerformers();
      const agent = await startAgent({
        config: world.config(input),
        home,
        log,
        openPerformers: noted.open,
        mqtt: QUICK,
        enrolmentBackoff: QUICK.backoff,
        ...options,
      });
      agents.push(agent);
      return { agent, noted };
    },
    meet: async () => {
      const certified = () =>
        [...service.devices.values()].filter(({ state }) => state === 'certified').at(-1);
      await until('the device is enrolled', () => certified() !== undefined);
      const { id, publicPem } = certified()!;
      await c2.meet(id, publicPem);
      return id;
    },
    join: async (options, input) => {
      const started = await world.start(options, input);
      await world.meet();
      await c2.accept();
      await started.agent.joined;
      return started;
    },
    statusOf: async (token, nth = 1) => (await c2.hear('RESPONSE', token, nth)).message.body.status,
    roundTrip: async () => {
      const token = await c2.say('ID_REQUEST', {});
      await c2.hear('DATA', token);
    },
    close: async () => {
      await Promise.all(agents.map((agent) => agent.stop()));
      await c2.close();
      await service.close();
      await broker.close();
      await rm(home, { recursive: true, force: true });
    },
  };
  return world;
}
