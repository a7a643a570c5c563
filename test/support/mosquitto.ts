import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { locate } from '../../scripts/system-programs.ts';
import { freePort } from './ports.ts';
import type { Ground } from './server.ts';
import { until } from './wait.ts';

/** A real Mosquitto that trusts the CA of the server in `ground.folder/server`, as docs/operation.md sets one up. */
export interface Mosquitto {
  readonly url: string;
  /** The server's identity: the user that does the server's part. */
  readonly serverId: string;
  /** What it has logged in all its lives. */
  log(): string;
  /** Resolves when it listens. */
  start(): Promise<void>;
  /** As a loss of power does: nothing is saved, nobody is told. */
  kill(): Promise<void>;
  /** Reads lists and certificates again; clients stay. */
  reload(): Promise<void>;
}

/** Writes its configuration for a free port; it is not started yet. The server must have run once. */
export async function prepareMosquitto(ground: Ground): Promise<Mosquitto> {
  const server = join(ground.folder, 'server');
  const folder = join(ground.folder, 'mosquitto');
  await mkdir(folder, { mode: 0o700 });
  const serverId = (await readFile(join(server, 'server', 'identity'), 'utf8')).trim();
  const port = await freePort();
  const config = join(folder, 'mosquitto.conf');
  await writeFile(join(folder, 'acl'), rules(serverId), { mode: 0o600 });
  await writeFile(config, configuration(server, folder, port), { mode: 0o600 });

  const executable = locate('mosquitto') ?? 'mosquitto';
  const said: string[] = [];
  const log = (): string => said.join('');
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const before = log().length;
    const started = spawn(executable, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    child = started;
    started.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
    await until('Mosquitto listens', () => {
      if (started.exitCode !== null) throw new Error(`Mosquitto ended:\n${log()}`);
      return /mosquitto version \S+ running/.test(log().slice(before));
    });
  }

  async function kill(): Promise<void> {
    const running = child;
    child = undefined;
    if (running?.exitCode !== null) return;
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
  return { url: `mqtts://localhost:${port}`, serverId, log, start, kill, reload };
}

/** P 7.1, 7.3, 8.3. */
function configuration(server: string, folder: string, port: number): string {
  const credential = join(server, 'tls', 'server.pem');
  return [
    `listener ${port} 127.0.0.1`,
    `cafile ${join(server, 'authority', 'ca.pem')}`,
    `certfile ${credential}`,
    `keyfile ${credential}`,
    `crlfile ${join(server, 'key-service', 'crl.pem')}`,
    'require_certificate true',
    'use_identity_as_username true',
    'use_username_as_clientid true',
    'allow_anonymous false',
    `acl_file ${join(folder, 'acl')}`,
    'retain_available false',
    'persistence true',
    `persistence_location ${folder}/`,
    'log_dest stderr',
    'log_type all',
    `user ${userInfo().username}`, // else one who is root becomes somebody who can't read the folder
    '',
  ].join('\n');
}

function rules(serverId: string): string {
  return [
    `user ${serverId}`,
    'topic readwrite SRUP/#',
    '',
    'pattern readwrite SRUP/%u',
    'pattern write SRUP/servers/+/%u',
    '',
  ].join('\n');
}
