/** Measures how long the server takes to start, and the memory of an idle server and an idle agent. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryOf, runSrup, startSrup, untilTrue } from './processes.ts';
import { startServer } from './server.ts';

/** Wait before resident memory is read; by then the leftovers of the start are collected. */
const IDLE_MS = 5_000;

export interface StartFigures {
  /** The first start, which makes a CA, keys and databases. */
  readonly firstStartMs: number;
  readonly nextStartMs: number;
  /** MiB. */
  readonly idleServer: number;
  readonly peakServer: number;
  /** Resident memory of an agent that has joined and is idle, MiB. */
  readonly idleAgent: number;
}

export async function measureStart(
  folder: string,
): Promise<Pick<StartFigures, 'firstStartMs' | 'nextStartMs' | 'idleServer' | 'peakServer'>> {
  await mkdir(folder);
  const first = await startServer(folder);
  await first.process.stop();
  const next = await startServer(folder);
  await sleep(IDLE_MS);
  const { now, peak } = memoryOf(next.process.pid);
  await next.process.stop();
  return { firstStartMs: first.startedMs, nextStartMs: next.startedMs, idleServer: now, peakServer: peak };
}

export async function measureAgent(folder: string): Promise<Pick<StartFigures, 'idleAgent'>> {
  await mkdir(folder);
  const { process: server, url, caFingerprint, env } = await startServer(folder);
  await runSrup(['ctl', 'policy', 'set', 'bench', 'accept'], env);
  const code = (await runSrup(['ctl', 'codes', 'create'], env)).trim();
  const agent = startSrup([
    ...['agent', '--home', join(folder, 'device'), '--type', 'bench'],
    ...['--url', url, '--ca-fingerprint', caFingerprint, '--enrolment-code', code],
  ]);
  const said = () => agent.stdout() + agent.stderr();
  await untilTrue('the agent has joined', () => said().includes('phase=joined'), 60_000);
  // The first life includes enrolment, which loads much: the second one is what runs for years.
  await agent.stop();
  const again = startSrup(['agent', '--home', join(folder, 'device')]);
  await untilTrue(
    'it is connected',
    () => (again.stdout() + again.stderr()).includes('connected to the broker'),
    60_000,
  );
  await sleep(IDLE_MS);
  const { now } = memoryOf(again.pid);
  await again.stop();
  await server.stop();
  return { idleAgent: now };
}
