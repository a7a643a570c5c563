import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApi, type Api } from '../../packages/cli/src/client/api.ts';
import { loadLogin } from '../../packages/cli/src/client/profile.ts';
import { runSrup, startSrup, type Outcome, type Srup } from './processes.ts';
import { until } from './wait.ts';

/** Long, for a busy disk: it syncs what it makes. */
const START_MS = 180_000;

/** Names the folder of the server that a run shares, in the environment. */
export const MADE_SERVER = 'SRUP_TEST_MADE_SERVER';
/** Where its operator is logged in while it does not run. */
const NOWHERE = 'https://nowhere.invalid';

/** A folder of its own, and what to do at the end of the test, last things first. */
export interface Ground {
  readonly folder: string;
  later(step: () => unknown): void;
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

/** A real `srup up` process with an operator who is logged in. */
export interface Site {
  readonly url: string;
  readonly brokerUrl: string;
  readonly caFingerprint: string;
  /** Arguments that start it again as it was, after `process.stop()`. */
  readonly sameAgain: readonly string[];
  readonly process: Srup;
  /** `srup ctl ...` as that operator. */
  ctl(...args: string[]): Promise<Outcome>;
  /** The same with --json, parsed; throws when it does not end with 0. */
  ask<Answer>(...args: string[]): Promise<Answer>;
  /** The API as that operator, by the client of `srup ctl`: without the quarter of a second that a process takes. */
  api<Answer>(use: (api: Api) => Promise<Answer>): Promise<Answer>;
  /** GET, for what is looked at again and again. Undefined: no answer, or another one than 200. */
  look<Answer>(path: string): Promise<Answer | undefined>;
}

/**
 * Starts a server in `ground.folder/server`, as an operator has it who started it before and logged in. Where no server
 * was yet it is a copy of the one that the whole run shares (made-server.ts).
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

/** The folder of a server that has run, and the login of its operator; it does not run. */
export async function placeServer(ground: Ground): Promise<void> {
  const made = process.env[MADE_SERVER];
  if (made === undefined) return makeServer(ground);
  await cp(made, ground.folder, { recursive: true });
}

/** Makes it as a person does: with the set-up token that the first start shows. */
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
    // A port that was named is in the arguments already; the URL may be that of a forwarder.
    sameAgain: [
      ...args,
      ...(args.includes('--https-port') ? [] : ['--https-port', new URL(url).port]),
      ...(args.includes('--mqtts-port') ? [] : ['--mqtts-port', new URL(brokerUrl).port]),
    ],
    caFingerprint,
    process,
    ctl,
    api: (use) => withApi(env.SRUP_CONFIG, use),
    // It may be starting, or away.
    look: (path) => withApi(env.SRUP_CONFIG, (api) => api.find<never>(path)).catch(() => undefined),
    ask: async (...rest) => {
      const { code, stdout, stderr } = await ctl(...rest, '--json');
      if (code !== 0) throw new Error(`srup ctl ${rest.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as never;
    },
  };
}

async function withApi<Answer>(config: string, use: (api: Api) => Promise<Answer>): Promise<Answer> {
  // A test may log in anew, by another address.
  const api = openApi(await loadLogin('default', { SRUP_CONFIG: config }));
  try {
    return await use(api);
  } finally {
    api.close();
  }
}
