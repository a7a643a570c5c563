/** The link over a real Mosquitto: what every link keeps to, with the window of messages that its configuration sets. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe } from 'vitest';
import { connectMqtt, Secret } from '@srup/node';
import { testLink } from '../../packages/node/test/link-contract.ts';
import { locate } from '../../scripts/system-programs.ts';
import { canRun } from '../support/brokers.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/wait.ts';

const CLIENT = 'link';
const SENT = new RegExp(`Sending PUBLISH to ${CLIENT} \\(d(\\d), q1, r\\d, m(\\d+),`);
const ACKNOWLEDGED = new RegExp(`Received PUBACK from ${CLIENT} \\(Mid: (\\d+),`);

interface Broker {
  readonly port: number;
  readonly said: () => string;
  stop(): Promise<void>;
}

describe.skipIf(!canRun('mosquitto'))('Mosquitto', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'srup-line-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function start(): Promise<Broker> {
    const port = await freePort();
    const file = join(folder, 'mosquitto.conf');
    const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'max_inflight_messages 200'];
    await writeFile(file, `${lines.join('\n')}\n`);
    const child = spawn(locate('mosquitto') ?? 'mosquitto', ['-v', '-c', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
    const ended = once(child, 'exit');
    await until('Mosquitto listens', () => log.includes('running'));
    const stop = async (): Promise<void> => {
      child.kill();
      await ended;
    };
    return { port, said: () => log, stop };
  }

  /** The texts that were acknowledged. Each is known by the packet id under which it was sent for the first time. */
  function acknowledgedOf(said: string, texts: readonly string[]): string[] {
    const byId = new Map<string, string>();
    const acknowledged: string[] = [];
    let sent = 0;
    for (const line of said.split('\n')) {
      const [, dup, id] = SENT.exec(line) ?? [];
      if (dup === '0') byId.set(id!, texts[sent++]!);
      const [, acknowledgedId] = ACKNOWLEDGED.exec(line) ?? [];
      if (acknowledgedId !== undefined) acknowledged.push(byId.get(acknowledgedId)!);
    }
    return acknowledged;
  }

  testLink('over Mosquitto', async (inHand) => {
    const broker = await start();
    const other = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 4 });
    const proxy = await startCuttingProxy(broker.port);
    proxy.leadTo(undefined);
    const texts: string[] = [];
    const link = connectMqtt({
      ...{ url: `mqtt://127.0.0.1:${proxy.port}`, insecurePlain: true, clientId: CLIENT, clean: false },
      ...{ ca: '', cert: '', key: new Secret(''), inHand },
      backoff: { leastMs: 10, mostMs: 40 },
    });
    return {
      link,
      connect: () => {
        proxy.leadTo(broker.port);
      },
      disconnect: () => {
        proxy.leadTo(undefined);
        proxy.cutAll();
      },
      publish: async (topic, text, retain = false) => {
        texts.push(text);
        await other.publishAsync(topic, text, { qos: 1, retain });
      },
      acknowledged: () => acknowledgedOf(broker.said(), texts),
      close: async () => {
        await link.close();
        await other.endAsync();
        await proxy.close();
        await broker.stop();
      },
    };
  });
});
