import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApi, type Api } from '../../packages/cli/src/client/api.ts';
import { loadLogin } from '../../packages/cli/src/client/profile.ts';
import { chooseDatabase } from './database.ts';
import { runSrup, startSrup, type Outcome, type Srup } from './processes.ts';
import { until } from './wait.ts';

/** How long a start can take. It syncs what it makes, which is slow on a busy disk. */
const START_MS = 180_000;

/** The environment variable with the folder of the server of which all sites are copies. */
export const MADE_SERVER = 'SRUP_TEST_MADE_SERVER';
/** The server's URL in the operator's login while it does not run. */
const NOWHERE = 'https://nowhere.invalid';

/** A folder, and what to do at its end, last things first. */
export interface Ground {
  readonly folder: string;
  readonly later: (step: () => unknown) => void;
  clear(): Promise<void>;
}

export async function newGround(): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), 'srup-test-'));
  const steps: (() => unknown)[] = [];
  return {
    folder,
    later: (step) => steps.push(step),
    clear: async () => {
      for (let step = steps.pop(); step !== undefined; step = steps.pop()) await step();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A real `srup up` process, and an operator who is logged in. */
export interface Site {
  readonly url: string;
  readonly brokerUrl: string;
  readonly caFingerprint: string;
  /** Arguments that start it again with the same ports, after `process.stop()`. */
  readonly sameAgain: readonly string[];
  readonly process: Srup;
  /** `srup ctl ...` as that operator. */
  ctl(...args: string[]): Promise<Outcome>;
  /** Runs it with --json and parses the output; throws when it does not end with 0. */
  ask<Answer>(...args: string[]): Promise<Answer>;
  /** Uses the API as that operator, without a process, which would take a quarter of a second. */
  api<Answer>(use: (api: Api) => Promise<Answer>): Promise<Answer>;
  /** Sends a GET; undefined if there is no answer or it is not 200. It is made for polling. */
  look<Answer>(path: string): Promise<Answer | undefined>;
}

/**
 * Starts a server in `ground.folder/server` whose operator has started it before and logged in. If the folder has no
 * server yet, it gets a copy of the one that the whole run shares (made-server.ts).
 */
export async function startSite(
  ground: Ground,
  args: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
): Promise<Site> {
  if (!existsSync(join(ground.folder, 'server', 'vault.json'))) await placeServer(ground);
  const site = await launchSite(ground, args, environment);
  await moveLogin(ground, NOWHERE, site.url);
  return site;
}

/** Copies the folder of a server that has run, with the login of its operator; does not start it. */
export async function placeServer(ground: Ground): Promise<void> {
  const made = process.env[MADE_SERVER];
  // What the made server knows is in files.
  if ((await chooseDatabase(ground)) || made === undefined) return makeServer(ground);
  await cp(made, ground.folder, { recursive: true });
}

/** Makes a server as a person does, with the set-up token that the first start shows. */
export async function makeServer(ground: Ground): Promise<void> {
  const site = await launchSite(ground);
  const { url, caFingerprint, process } = site;
  const token = /--token (\S+)/.exec(process.stdout())?.[1] ?? '';
  const login = await site.ctl('login', '--url', url, '--ca-fingerprint', caFingerprint, '--token', token);
  if (login.code !== 0) throw new Error(`login failed: ${login.stderr}`);
  await process.stop();
  await moveLogin(ground, url, NOWHERE);
}

async function moveLogin(ground: Ground, from: string, to: string): Promise<void> {
  const file = loginFile(ground);
  const text = await readFile(file, 'utf8');
  if (text.includes(from)) await writeFile(file, text.replace(from, to));
}

function loginFile(ground: Ground): string {
  return join(ground.folder, 'ctl.json');
}

async function launchSite(
  ground: Ground,
  args: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
): Promise<Site> {
  const whole = [
    'up',
    '--folder',
    join(ground.folder, 'server'),
    '--json-logs',
    ...(args.includes('--https-port') ? [] : ['--https-port', '0']),
    ...(args.includes('--mqtts-port') ? [] : ['--mqtts-port', '0']),
    ...args,
  ];
  const process = startSrup(whole, environment);
  ground.later(() => process.stop());
  const isUp = (): boolean => {
    if (process.child.exitCode !== null) throw new Error(`srup up ended:\n${process.stderr()}`);
    return process.stdout().includes('Ctrl-C stops it');
  };
  await until('the server runs', isUp, START_MS);
  const fact = (name: string): string =>
    new RegExp(`^  ${name} +(\\S+)$`, 'm').exec(process.stdout())?.[1] ?? '';
  const url = fact('URL');
  const caFingerprint = fact('CA fingerprint');
  const env = { SRUP_CONFIG: loginFile(ground) };
  const ctl = (...rest: string[]): Promise<Outcome> => runSrup(['ctl', ...rest], env);
  const brokerUrl = fact('MQTT');
  return {
    url,
    brokerUrl,
    // A given port is already in the arguments; the URL can be that of a forwarder.
    sameAgain: [
      ...args,
      ...(args.includes('--https-port') ? [] : ['--https-port', new URL(url).port]),
      ...(args.includes('--mqtts-port') ? [] : ['--mqtts-port', new URL(brokerUrl).port]),
    ],
    caFingerprint,
    process,
    ctl,
    api: (use) => withApi(env.SRUP_CONFIG, use),
    // The server may be starting or away.
    look: (path) => withApi(env.SRUP_CONFIG, (api) => api.find<never>(path)).catch(() => undefined),
    ask: async (...rest) => {
      const { code, stdout, stderr } = await ctl(...rest, '--json');
      if (code !== 0) throw new Error(`srup ctl ${rest.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as never;
    },
  };
}

async function withApi<Answer>(config: string, use: (api: Api) => Promise<Answer>): Promise<Answer> {
  // A test may have logged in again, with another address.
  const api = openApi(await loadLogin('default', { SRUP_CONFIG: config }));
  try {
    return await use(api);
  } finally {
    api.close();
  }
}
