import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentConfigInput } from '@srup/agent';
import type { DeviceView, FleetEvent, RunningServer } from '@srup/server';
import { keepShort } from '../service/rotating.ts';
import { UserError } from '../user-error.ts';

/** The device type of the demo, which joins without an operator. */
const TYPE = 'demo';
export const DEMO_NAME = 'demo-device';
/** How long the code is valid; it is used within seconds. */
const CODE_MS = 15 * 60_000;
const JOIN_MS = 60_000;
/** Time from SIGTERM to SIGKILL, in which the agent stops its program. */
const STOP_MS = 20_000;

const PROGRAMS = new URL('../../../../examples/demo/', import.meta.url);
const PROGRAM = fileURLToPath(new URL('../../bin/srup.js', import.meta.url));
/**
 * Runs in the demo device's process before anything else: it stops the device when this process is gone, even when it
 * was killed. The channel must not keep a stopped device alive.
 */
const TETHER = `data:text/javascript,${encodeURIComponent(
  "process.once('disconnect', () => process.kill(process.pid, 'SIGTERM')); process.channel.unref();",
)}`;

/** The demo's programs; undefined outside a checkout. */
export function demoPrograms(): { readonly first: string; readonly second: string } | undefined {
  const [first, second] = ['thermometer-v1.mjs', 'thermometer-v2.mjs'].map((name) =>
    fileURLToPath(new URL(name, PROGRAMS)),
  );
  return first !== undefined && second !== undefined && existsSync(first) && existsSync(second)
    ? { first, second }
    : undefined;
}

export interface DemoDevice {
  /** Resolves to the device when it has joined, or to undefined when it ended before that or took too long. */
  joined(): Promise<DeviceView | undefined>;
  /** Resolves to how it ended, when it ends without being stopped. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
  /** Kills it at once. */
  hurry(): void;
}

/**
 * Starts a real agent in its own process. At the first start it gets an enrolment code that nobody else has, so that
 * the policy that accepts its type accepts no other device.
 */
export async function startDemo(
  server: RunningServer,
  folder: string,
  logFile: string,
  program: string,
): Promise<DemoDevice> {
  const known = await readIdentity(folder);
  if (known === undefined) {
    await server.fleet.setJoinPolicy(TYPE, 'accept');
    // A device that was deregistered registers again only when it is told to, as this start does.
    await rm(join(folder, 'left.json'), { force: true });
  } else checkBelonging(known, server, folder);
  await writeConfig(server, folder, program, known === undefined ? await makeCode(server) : undefined);
  const log = await open(logFile, 'a', 0o600);
  const child = fork(PROGRAM, ['agent', '--home', folder], {
    execArgv: ['--import', TETHER],
    // Its own process group: Ctrl-C reaches only this process, which then stops both in order.
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
  });
  await log.close();
  const letGrow = keepShort(logFile);
  let stopping = false;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      letGrow();
      resolve();
    });
  });
  return {
    joined: () => waitUntilJoined(server, folder, gone),
    ended: gone.then(() => (stopping ? new Promise<string>(() => undefined) : howItEnded(child))),
    stop: async () => {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await gone;
      clearTimeout(force);
    },
    hurry: () => {
      child.kill('SIGTERM');
    },
  };
}

async function makeCode(server: RunningServer): Promise<string> {
  const { secret } = await server.codes.create({ type: TYPE, uses: 1, expiresAt: Date.now() + CODE_MS });
  return secret;
}

/** Writes agent.json at each start, as ports and the path of Node.js may have changed. */
async function writeConfig(
  server: RunningServer,
  folder: string,
  program: string,
  code: string | undefined,
): Promise<void> {
  const config: AgentConfigInput = {
    url: server.url,
    caFingerprint: server.caFingerprint,
    type: TYPE,
    ...(server.brokerUrl.startsWith('mqtt:') ? { insecurePlainMqtt: true } : {}),
    ...(code === undefined ? {} : { enrolmentCode: code }),
    software: { factory: program, command: [process.execPath, '{path}'] },
  };
  const { makePrivateFolder, writeFileAtomic } = await import('@srup/node');
  await makePrivateFolder(folder);
  await writeFileAtomic(join(folder, 'agent.json'), `${JSON.stringify(config, undefined, 2)}\n`);
}

interface Identity {
  readonly id: string;
  readonly server: string;
  readonly broker: string;
}

/** The identity of the device; undefined before it has registered. */
async function readIdentity(folder: string): Promise<Identity | undefined> {
  const text = await readFile(join(folder, 'identity.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Identity);
}

/** Refuses a server or broker other than those that the device registered with, which it can't change. */
function checkBelonging(
  { server, broker }: Identity,
  { serverId, brokerUrl }: RunningServer,
  folder: string,
): void {
  if (server !== serverId) {
    throw new UserError(
      `the demo device in ${folder} belongs to another server (${server})`,
      `Remove the folder ${folder}: the next start makes a new device.`,
    );
  }
  if (broker !== brokerUrl) {
    throw new UserError(
      `the demo device registered with the broker ${broker}, and this one is ${brokerUrl}`,
      `Start with the earlier port, or remove the folder ${folder}: the next start makes a new device.`,
    );
  }
}

/** Waits until the server, not the device, says that it has joined. */
async function waitUntilJoined(
  { fleet }: RunningServer,
  folder: string,
  gone: Promise<void>,
): Promise<DeviceView | undefined> {
  const joinedNow = async () => {
    const known = await readIdentity(folder);
    const device = known && (await fleet.device(known.id));
    return device?.standing === 'joined' ? device : undefined;
  };
  let stop: () => void = () => undefined;
  let timer: NodeJS.Timeout | undefined;
  const heard = new Promise<void>((resolve) => {
    stop = fleet.watch((event: FleetEvent) => {
      if (event.kind === 'device' && event.device.type === TYPE && event.device.standing === 'joined')
        resolve();
    });
    timer = setTimeout(resolve, JOIN_MS);
  });
  try {
    const before = await joinedNow();
    if (before !== undefined) return before;
    await Promise.race([heard, gone]);
    return await joinedNow();
  } finally {
    stop();
    clearTimeout(timer);
  }
}

function howItEnded({ exitCode, signalCode }: ChildProcess): string {
  return signalCode === null ? `with exit code ${exitCode ?? 0}` : `by ${signalCode}`;
}
