/** Devices that are killed and start again, and what really runs on them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { askAgent, homeAt, type AgentConfigInput, type AgentStatus } from '@srup/agent';
import { sha256File } from '@srup/node';
import type { Ground } from '../../support/server.ts';
import { until } from '../../support/wait.ts';
import type { VictimSite } from './site.ts';

const DEVICE = fileURLToPath(new URL('device.ts', import.meta.url));
/** Characters of a log that are kept, for when something goes wrong. */
const KEPT_LOG = 20_000;
const LAST_WORDS = 1_000;
const REGISTER_MS = 180_000;

export interface VictimDevice {
  readonly name: string;
  readonly home: string;
  readonly id: string;
  /** Dies when it gets to that point for the count-th time. */
  arm(point: string, count?: number): void;
  disarm(): void;
  /** Kills it now, wherever it is; false if it was dead already. */
  kill(): boolean;
  /** How often it died, and where; random instants are called so. */
  readonly deaths: readonly string[];
  /** How often it ended without being killed, which must never happen. It is started again. */
  readonly crashes: readonly string[];
  /** Its next start gets to die at this point, too. */
  armNextStart(point: string, count: number): void;
  /** What its owner sees; undefined while it does not answer. */
  status(): Promise<AgentStatus | undefined>;
  /** Digests of the files of all programs that run from its slots now: there has to be one. */
  reallyRunning(): Promise<string[]>;
  /** Lines of what was done, each with its kind and token. */
  effects(): Promise<string[]>;
  said(): string;
  stop(): Promise<void>;
}

export async function openDevice(
  ground: Ground,
  site: VictimSite,
  name: string,
  factory: string,
): Promise<VictimDevice> {
  const home = join(ground.folder, name);
  await mkdir(home, { mode: 0o700 });
  const config: AgentConfigInput = {
    url: site.url,
    caFingerprint: site.caFingerprint,
    type: 'victim',
    software: {
      factory,
      keep: 1,
      stopSeconds: 0.5,
      restart: { leastSeconds: 0.2, mostSeconds: 1 },
    },
    health: { aliveSeconds: 0.2, deadlineSeconds: 10 },
    data: { stdin: true },
  };
  await writeFile(homeAt(home).config, JSON.stringify(config), { mode: 0o600 });

  let child: ChildProcess;
  let log = '';
  let isOver = false;
  let atStart: readonly string[] = [];
  let place = '';
  const deaths: string[] = [];
  const crashes: string[] = [];

  function launch(): void {
    const options = atStart;
    atStart = [];
    place = '';
    const started = spawn(process.execPath, [DEVICE, home, ...options], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, NODE_COMPILE_CACHE: join(ground.folder, 'compiled') },
    });
    child = started;
    started.stdin.on('error', () => undefined); // killed
    createInterface({ input: started.stdout }).on('line', (line) => {
      place = line.replace('died at ', '');
    });
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-KEPT_LOG);
    });
    started.once('close', (code, signal) => {
      if (isOver) return;
      if (signal === 'SIGKILL') deaths.push(place === '' ? 'random instant' : place);
      else crashes.push(`exit ${code ?? signal}: ${log.slice(-LAST_WORDS)}`);
      launch();
    });
  }

  launch();
  const readId = async () => {
    const text = await readFile(join(home, 'identity.json'), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as { id: string }).id;
  };
  const id = await until(`${name} has registered`, readId, REGISTER_MS);
  const say = (line: string) => child.stdin?.write(`${line}\n`);
  const device: VictimDevice = {
    ...{ name, home, id, deaths, crashes },
    arm: (point, count = 1) => say(`arm ${count} ${point}`),
    disarm: () => say('arm'),
    kill: () => child.kill('SIGKILL'),
    armNextStart: (point, count) => {
      atStart = [point, String(count)];
    },
    status: async () => {
      const reply = await askAgent(homeAt(home).socket, 'status').catch(() => undefined);
      return reply?.value as AgentStatus | undefined;
    },
    reallyRunning: () => runningFrom(join(home, 'software', 'slots')),
    effects: async () => {
      const text = await readFile(join(home, 'effects'), 'utf8').catch(() => '');
      return text.split('\n').filter((line) => line !== '');
    },
    said: () => log,
    stop: async () => {
      isOver = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'close');
      child.stdin?.end(); // it stops its program
      await ended;
    },
  };
  ground.later(() => device.stop());
  return device;
}

/** The programs that run, as the kernel knows them, with the digests of their files as they are now. */
async function runningFrom(slots: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const files = await Promise.all(
    pids.map(async (pid) => {
      const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return words.split('\0').find((word) => word.startsWith(slots));
    }),
  );
  return Promise.all(
    files.filter((file) => file !== undefined).map((file) => sha256File(file).catch(() => 'gone')),
  );
}
