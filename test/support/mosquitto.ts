import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { locate } from '../../scripts/system-programs.ts';
import { freePort } from './ports.ts';
import { runSrup } from './processes.ts';
import type { Ground } from './server.ts';
import { until } from './wait.ts';

/** A real Mosquitto for the server in `ground.folder/server`, run as `srup broker-config` says. */
export interface Mosquitto {
  readonly url: string;
  /** Options of `srup up` for this broker, with its port for ending sessions and the command to reload its files. */
  readonly args: readonly string[];
  /** The server's identity, which is its user at the broker. */
  readonly serverId: string;
  /** What it has logged in all its runs. */
  log(): string;
  /** Resolves when it listens. */
  start(): Promise<void>;
  /** Kills it as a loss of power does: nothing is saved, and no client is notified. */
  kill(): Promise<void>;
  /** Makes it read lists and certificates again; clients stay connected. */
  reload(): Promise<void>;
}

/** Writes its configuration for free ports, and does not start it. The server must have run once. */
export async function prepareMosquitto(ground: Ground): Promise<Mosquitto> {
  const server = join(ground.folder, 'server');
  const folder = join(ground.folder, 'mosquitto');
  const serverId = (await readFile(join(server, 'server', 'identity'), 'utf8')).trim();
  const [port, sessionsPort] = [await freePort(), await freePort()];
  const ports = ['--port', String(port), '--sessions-port', String(sessionsPort), '--listen', '127.0.0.1'];
  const written = await runSrup([
    'broker-config',
    'mosquitto',
    '--folder',
    server,
    '--out',
    folder,
    ...ports,
  ]);
  if (written.code !== 0) throw new Error(`srup broker-config failed: ${written.stderr}`);
  const url = `mqtts://localhost:${port}`;
  const reloading = `pkill -HUP --pidfile ${join(folder, 'mosquitto.pid')} mosquitto`;
  const sessions = `mqtts://localhost:${sessionsPort}`;

  const executable = locate('mosquitto') ?? 'mosquitto';
  const said: string[] = [];
  const log = (): string => said.join('');
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const before = log().length;
    const started = spawn(executable, ['-v', '-c', join(folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child = started;
    started.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
    await until('Mosquitto listens', () => {
      if (started.exitCode !== null || started.signalCode !== null)
        throw new Error(`Mosquitto ended:\n${log()}`);
      return /mosquitto version \S+ running/.test(log().slice(before));
    });
  }

  async function kill(): Promise<void> {
    const running = child;
    child = undefined;
    if (running?.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'close');
    running.kill('SIGKILL');
    await ended;
  }

  async function reload(): Promise<void> {
    const before = log().length;
    child?.kill('SIGHUP');
    await until('Mosquitto reloads', () => log().slice(before).includes('Reloading config'));
  }

  ground.later(kill);
  const args = ['--broker', url, '--broker-sessions', sessions, '--broker-reload', reloading];
  return { url, args, serverId, log, start, kill, reload };
}
