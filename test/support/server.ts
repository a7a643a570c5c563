import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApi } from '../../packages/cli/src/ctl/api.ts';
import { loadLogin } from '../../packages/cli/src/ctl/profile.ts';
import { runSrup, startSrup, type Outcome, type Srup } from './processes.ts';
import { until } from './wait.ts';

/** Long, for a busy disk: it syncs what it makes. */
const START_MS = 180_000;

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
  /**
   * GET of the API as that operator, for what is looked at again and again: a process each time would cost half a
   * second of the machine. Undefined: no answer, or another one than 200.
   */
  look<Answer>(path: string): Promise<Answer | undefined>;
}

/** Starts a server in `ground.folder/server`; logs in when it shows a set-up token. */
export async function startSite(
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
  const env = { SRUP_CONFIG: join(ground.folder, 'ctl.json') };
  const token = /--token (\S+)/.exec(process.stdout())?.[1];
  const ctl = (...rest: string[]): Promise<Outcome> => runSrup(['ctl', ...rest], env);
  if (token !== undefined) {
    const login = await ctl('login', '--url', url, '--ca-fingerprint', caFingerprint, '--token', token);
    if (login.code !== 0) throw new Error(`login failed: ${login.stderr}`);
  }
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
    look: (path) => lookAt(env.SRUP_CONFIG, path) as never,
    ask: async (...rest) => {
      const { code, stdout, stderr } = await ctl(...rest, '--json');
      if (code !== 0) throw new Error(`srup ctl ${rest.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as never;
    },
  };
}

async function lookAt(config: string, path: string): Promise<unknown> {
  // A test may log in anew, by another address.
  const api = openApi(await loadLogin('default', { SRUP_CONFIG: config }));
  try {
    return await api.find(path);
  } catch {
    return undefined; // it starts, or is away
  } finally {
    api.close();
  }
}
