/**
 * Measures a command with its verified receipt, compared with plain MQTT through the same broker in the same run. It
 * uses real TLS and a real agent in its own process; both sides store every state before they acknowledge.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import type { AgentConfigInput } from '@srup/agent';
import { startServer, type RunningServer } from '@srup/server';
import type { Section } from './report.ts';

const ROUNDS = 300;
const WARM_UP_ROUNDS = 50;
/** The time added to the plain round trip: the median, in milliseconds. */
const TARGET_MS = 2;
const ACTION = 0x20;

export async function benchmark(): Promise<Section[]> {
  const folder = await mkdtemp(join(tmpdir(), 'srup-bench-'));
  const log = pino({ level: 'silent' });
  const server = await startServer({
    folder: join(folder, 'server'),
    httpsPort: 0,
    mqttsPort: 0,
    requireEnrolmentCode: false,
    log,
  });
  const devices: ChildProcess[] = [];
  try {
    await server.fleet.setJoinPolicy('*', 'accept');
    const sections: Section[] = [];
    for (const suite of ['ed25519', 'rsa-sha256'] as const) {
      const home = join(folder, suite);
      const { id, child } = await startDevice(server, home, suite);
      devices.push(child);
      await commandTimes(server, id, WARM_UP_ROUNDS);
      // In turns, so that a busy machine slows both alike.
      const plain: number[] = [];
      const commands: number[] = [];
      const idle = await startDevice(server, join(folder, `${suite}-plain`), suite);
      await stop(idle.child);
      for (let turn = 0; turn < 3; turn++) {
        plain.push(...(await plainTimes(server, join(folder, `${suite}-plain`), ROUNDS / 3)));
        commands.push(...(await commandTimes(server, id, ROUNDS / 3)));
      }
      sections.push(section(suite, plain, commands));
    }
    return sections;
  } finally {
    for (const child of devices) await stop(child);
    await server.close();
    await rm(folder, { recursive: true });
  }
}

function section(suite: string, plain: number[], commands: number[]): Section {
  const added = quantile(commands, 0.5) - quantile(plain, 0.5);
  return {
    title: `Round trip, ${suite}`,
    delays: [
      { name: 'plain MQTT, there and back', median: quantile(plain, 0.5), p95: quantile(plain, 0.95) },
      { name: 'ACTION to verified receipt', median: quantile(commands, 0.5), p95: quantile(commands, 0.95) },
      { name: 'added', median: added, p95: quantile(commands, 0.95) - quantile(plain, 0.95) },
    ],
    targets: [
      {
        what: `under ${TARGET_MS} ms added in the median`,
        measured: `${added.toFixed(2)} ms`,
        met: added < TARGET_MS,
      },
    ],
  };
}

async function startDevice(
  server: RunningServer,
  home: string,
  suite: 'ed25519' | 'rsa-sha256',
): Promise<{ id: string; child: ChildProcess }> {
  const config: AgentConfigInput = {
    url: server.url,
    caFingerprint: server.caFingerprint,
    type: 'bench',
    suite,
  };
  const joined = new Promise<string>((resolve) => {
    const end = server.fleet.watch((event) => {
      if (event.kind !== 'exchange' || event.change.exchange.kind !== 'identify' || !event.change.isFinal)
        return;
      end();
      resolve(event.change.device);
    });
  });
  const child = run('./roundtrip-device.ts', [JSON.stringify(config), home], 'inherit');
  return { id: await joined, child };
}

async function commandTimes(server: RunningServer, id: string, rounds: number): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const answered = new Promise<void>((resolve) => {
      const end = server.fleet.watch((event) => {
        if (
          event.kind !== 'exchange' ||
          event.change.device !== id ||
          event.change.exchange.kind !== 'action'
        )
          return;
        if (!event.change.isFinal) return;
        end();
        resolve();
      });
    });
    const start = performance.now();
    await server.fleet.command([id], { kind: 'action', actionId: ACTION });
    await answered;
    times.push(performance.now() - start);
  }
  return times;
}

async function plainTimes(server: RunningServer, home: string, rounds: number): Promise<number[]> {
  const child = run(
    './roundtrip-plain.ts',
    [server.brokerUrl, home, String(WARM_UP_ROUNDS + rounds)],
    'pipe',
  );
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(child, 'close');
  return (JSON.parse(text) as number[]).slice(WARM_UP_ROUNDS);
}

function run(file: string, args: readonly string[], stdout: 'inherit' | 'pipe'): ChildProcess {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return spawn(process.execPath, [path, ...args], { stdio: ['ignore', stdout, 'inherit'] });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
