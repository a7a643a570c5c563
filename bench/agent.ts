/**
 * `npm run bench:agent [-- --json]`: the memory of a published agent that has joined and waits,
 * compared with bare Node.js and with Node.js with TLS and an MQTT client, in turns in one run.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { startServer, type RunningServer } from '@srup/server';
import { publishableWorkspaces, root } from '../scripts/workspaces.ts';

const ROUNDS = 3;
/** Wait before memory is measured; an agent returns memory 10 s after its start. */
const IDLE_MS = 12_000;
const TARGET_MIB = 60;
const BARE = fileURLToPath(new URL('./agent-bare.mjs', import.meta.url));
const MQTT = pathToFileURL(join(root, 'node_modules', 'mqtt', 'build', 'index.js')).href;

/** In dist/, packages find each other as they would where they are installed. */
function linkPackages(): void {
  const make = (target: string, link: string) => {
    mkdirSync(dirname(link), { recursive: true });
    if (existsSync(target) && !existsSync(link)) symlinkSync(target, link);
  };
  for (const { id, manifest, folder } of publishableWorkspaces()) {
    make(join(root, 'dist', id), join(root, 'dist', 'node_modules', manifest.name));
    make(join(folder, 'node_modules'), join(root, 'dist', id, 'node_modules'));
  }
}

interface Memory {
  /** Resident, in MiB. */
  readonly all: number;
  /** Its own part; the rest is the executable of Node.js, which all its processes share. */
  readonly own: number;
}

async function memoryOf({ pid }: ChildProcess): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  return { all: mib('VmRSS'), own: mib('RssAnon') };
}

async function measure(args: readonly string[], ready: () => Promise<unknown>): Promise<Memory> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    await ready();
    await sleep(IDLE_MS);
    return await memoryOf(child);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

/** Resolves when a device has identified itself, after it has joined or come back. */
function heard(server: RunningServer): Promise<void> {
  return new Promise((resolve) => {
    const end = server.fleet.watch((event) => {
      if (event.kind !== 'device' || event.device.standing !== 'joined') return;
      end();
      resolve();
    });
  });
}

async function makeHome(folder: string, server: RunningServer): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { url, caFingerprint } = server;
  await writeFile(
    join(folder, 'agent.json'),
    JSON.stringify({ url, caFingerprint, type: 'bench', logLevel: 'error' }),
  );
  return folder;
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

linkPackages();
const folder = await mkdtemp(join(tmpdir(), 'srup-bench-'));
const server = await startServer({
  ...{ folder: join(folder, 'server'), httpsPort: 0, mqttsPort: 0, requireEnrolmentCode: false },
  log: pino({ level: 'silent' }),
});
const results = new Map<string, Memory[]>();
const note = async (name: string, value: Promise<Memory>) => {
  results.set(name, [...(results.get(name) ?? []), await value]);
};
try {
  await server.fleet.setJoinPolicy('*', 'accept');
  const bin = (name: string) => join(root, 'dist', 'cli', 'bin', `${name}.js`);
  for (let round = 0; round < ROUNDS; round++) {
    const home = (name: string) => makeHome(join(folder, `${name}-${round}`), server);
    await note(
      'Node.js',
      measure([BARE], () => sleep(500)),
    );
    const own = await home('srup-agent');
    // The first start enrols, which a device does once a year; the second is its everyday life.
    await note(
      'srup-agent, first start',
      measure([bin('srup-agent'), '--home', own], () => heard(server)),
    );
    await note(
      'Node.js, TLS, MQTT',
      measure([BARE, MQTT, server.brokerUrl, own], () => sleep(1_000)),
    );
    await note(
      'srup-agent',
      measure([bin('srup-agent'), '--home', own], () => sleep(2_000)),
    );
    await note(
      'srup agent',
      measure([bin('srup'), 'agent', '--home', own], () => sleep(2_000)),
    );
  }
} finally {
  await server.close();
  await rm(folder, { recursive: true });
}
const rows = [...results].map(([name, values]) => ({
  name,
  all: median(values.map(({ all }) => all)),
  own: median(values.map(({ own }) => own)),
}));
const { all: base = Number.NaN } = rows.find(({ name }) => name === 'Node.js, TLS, MQTT') ?? {};
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ node: process.version, rounds: ROUNDS, rows }));
} else {
  console.log(`Resident memory, ${IDLE_MS / 1000} s idle, median of ${ROUNDS}, ${process.version}`);
  for (const { name, all, own } of rows) {
    const sizes = `${all.toFixed(1).padStart(6)} MiB, ${own.toFixed(1).padStart(5)} of it its own`;
    console.log(`  ${name.padEnd(24)} ${sizes}, ${(all / base).toFixed(2)} x Node.js, TLS, MQTT`);
  }
  const { all = Number.NaN } = rows.find(({ name }) => name === 'srup-agent') ?? {};
  console.log(`  ${all < TARGET_MIB ? 'met' : 'NOT MET'}: under ${TARGET_MIB} MiB (${all.toFixed(1)} MiB)`);
}
