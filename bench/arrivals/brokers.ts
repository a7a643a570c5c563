/** Brokers on loopback without TLS, for bench/arrivals.ts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '@srup/node';
import type { Identity } from '@srup/protocol';
import { startBroker } from '../../packages/server/src/broker/broker.ts';
import { locate } from '../../scripts/system-programs.ts';

export interface BenchBroker {
  readonly url: string;
  close(): Promise<void>;
}

export async function startEmbedded(serverId: Identity): Promise<BenchBroker> {
  const broker = await startBroker(
    { host: '127.0.0.1', port: 0, serverId, tls: 'insecure-plain' },
    { clock: systemClock, isAllowed: async () => true, onRefusal: () => undefined, warn: () => undefined },
  );
  return { url: `mqtt://127.0.0.1:${broker.port}`, close: () => broker.close() };
}

/** Returns undefined where Mosquitto is not installed. Queue and window as `srup broker-config mosquitto` sets them. */
export async function startMosquitto(folder: string): Promise<BenchBroker | undefined> {
  const executable = locate('mosquitto');
  if (executable === undefined) return undefined;
  const port = await freePort();
  const file = join(folder, 'mosquitto.conf');
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'max_queued_messages 20000',
    'max_inflight_messages 200',
    'set_tcp_nodelay true',
    'log_dest none',
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  const child = spawn(executable, ['-c', file], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  while (!(await listens(port))) await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    url: `mqtt://127.0.0.1:${port}`,
    close: async () => {
      child.kill();
      await ended;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const tell = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => {
      tell(true);
    });
    socket.once('error', () => {
      tell(false);
    });
  });
}
