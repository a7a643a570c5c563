/**
 * `npm run bench:arrivals [-- --devices 50 --messages 40 --latencies 0,1,3 --databases sqlite,postgres --json]`: signed DATA messages a second that one
 * server takes, by the time that a commit takes more than the disk's own. "one at a time" is a link that has one message
 * in hand, and so acknowledges it before it takes the next. The messages wait at the broker when the clock starts. Server
 * and broker are two processes. After each run the server checks that it has stored every message once, in order.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectMqtt, Secret, type MqttLink } from '@srup/node';
import { encodeText, identityText, joinTopic, mqttClientId } from '@srup/protocol';
import {
  makeDevice,
  makeServer,
  type TestDevice,
  type TestServer,
} from '../packages/server/test/fleet/device.ts';
import { startPostgres } from '../test/support/postgres.ts';
import { startEmbedded, startMosquitto, type BenchBroker } from './arrivals/brokers.ts';
import type { ServerFigures, ServerOrders } from './arrivals/server.ts';

const { values: options } = parseArgs({
  options: {
    devices: { type: 'string', default: '50' },
    messages: { type: 'string', default: '40' },
    latencies: { type: 'string', default: '0,1,3' },
    databases: { type: 'string', default: 'sqlite' },
    json: { type: 'boolean', default: false },
  },
});
const MESSAGES = Number(options.messages);
/** As the link has by default. */
const MANY = 200;

interface Run {
  readonly database: string;
  readonly broker: string;
  readonly latencyMs: number;
  readonly oneAtATime: ServerFigures;
  readonly many: ServerFigures;
}

interface Sender {
  readonly device: TestDevice;
  readonly link: MqttLink;
}

async function runServer(orders: ServerOrders, onReady?: () => Promise<void>): Promise<string> {
  const file = join(folder, 'orders.json');
  await writeFile(file, JSON.stringify(orders));
  const program = join(import.meta.dirname, 'arrivals', 'server.ts');
  const child = spawn(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (said === '' && onReady !== undefined) void onReady();
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the server ended with ${code}`);
  return said;
}

async function connectDevice(url: string, device: TestDevice): Promise<Sender> {
  const link = connectMqtt({
    ...{ url, insecurePlain: true, clientId: mqttClientId(device.id), clean: true },
    ...{ ca: '', cert: '', key: new Secret('') },
  });
  await new Promise<void>((resolve) => {
    link.onConnect = () => {
      resolve();
    };
  });
  return { device, link };
}

async function measureBroker(
  name: string,
  broker: BenchBroker,
  server: TestServer,
  database: string,
  place: string,
): Promise<Run[]> {
  const devices = await Promise.all(
    Array.from({ length: Number(options.devices) }, () => makeDevice(server)),
  );
  const base = {
    place,
    url: broker.url,
    server: identityText(server.id),
    privatePems: server.privatePems,
    enrolments: devices.map(({ enrolment, text }) => ({ ...enrolment, id: text })),
  };
  let senders: Sender[] = [];
  await runServer({ ...base, latencyMs: 0, inHand: MANY, values: 0, waiting: 0 }, async () => {
    senders = await Promise.all(devices.map((device) => connectDevice(broker.url, device)));
    for (const { device, link } of senders) {
      const { bytes } = await device.write('JOIN_REQ', {});
      await link.publish(joinTopic(server.id, device.id), bytes);
    }
  });

  let values = 0;
  async function measure(latencyMs: number, inHand: number): Promise<ServerFigures> {
    const from = values;
    values += MESSAGES;
    await Promise.all(
      senders.map(async ({ device, link }) => {
        for (let value = from; value < values; value++) {
          const { topic, bytes } = await device.write('DATA', {
            dataId: 'value',
            data: encodeText(String(value)),
          });
          await link.publish(topic, bytes);
        }
      }),
    );
    const waiting = MESSAGES * senders.length;
    return JSON.parse(await runServer({ ...base, latencyMs, inHand, values, waiting })) as ServerFigures;
  }

  const runs: Run[] = [];
  for (const latencyMs of options.latencies.split(',').map(Number)) {
    const oneAtATime = await measure(latencyMs, 1);
    const run: Run = { database, broker: name, latencyMs, oneAtATime, many: await measure(latencyMs, MANY) };
    runs.push(run);
    if (!options.json) console.log(format(run));
  }
  await Promise.all(senders.map(({ link }) => link.close()));
  return runs;
}

function format({ database, broker, latencyMs, oneAtATime, many }: Run): string {
  const say = ({ perSecond, cpuMicros, messagesPerCommit }: ServerFigures) =>
    `${Math.round(perSecond).toLocaleString('en')}/s (${Math.round(cpuMicros)} us CPU, ${messagesPerCommit.toFixed(1)} a commit)`;
  const ratio = (many.perSecond / oneAtATime.perSecond).toFixed(1);
  return `${database}, ${broker}, commit + ${latencyMs} ms: one at a time ${say(oneAtATime)}, many ${say(many)}: x ${ratio}`;
}

const folder = await mkdtemp(join(tmpdir(), 'srup-bench-arrivals-'));
const machine = `${availableParallelism()} processors (${cpus()[0]?.model.trim() ?? 'unknown'}), node ${process.version}`;
if (!options.json) console.log(`${machine}\n`);
try {
  const server = await makeServer();
  const runs: Run[] = [];
  for (const database of options.databases.split(',')) {
    for (const [name, start] of [
      ['embedded', () => startEmbedded(server.id)],
      ['mosquitto', () => startMosquitto(folder)],
    ] as const) {
      const broker = await start();
      if (broker === undefined) continue;
      const postgres = database === 'postgres' ? await startPostgres() : undefined;
      try {
        const place = (await postgres?.createDatabase()) ?? join(folder, `${name}.db`);
        runs.push(...(await measureBroker(name, broker, server, database, place)));
      } finally {
        await broker.close();
        await postgres?.clear();
      }
    }
  }
  if (options.json) console.log(JSON.stringify({ machine, runs }, undefined, 2));
} finally {
  await rm(folder, { recursive: true, force: true });
}
