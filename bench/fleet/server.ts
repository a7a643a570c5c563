import { join } from 'node:path';
import { runSrup, startSrup, untilTrue, type Running } from './processes.ts';

const START_MS = 60_000;

export interface BenchServer {
  readonly process: Running;
  /** Milliseconds from the start of the process until it can be used. */
  readonly startedMs: number;
  readonly url: string;
  readonly caFingerprint: string;
  /** For `srup`: the operator's login. */
  readonly env: NodeJS.ProcessEnv;
}

/** Runs `srup up` in its own process. An operator logs in at its first start. */
export async function startServer(
  folder: string,
  nodeArgs: readonly string[] = [],
  more: readonly string[] = [],
): Promise<BenchServer> {
  const began = performance.now();
  const ports = ['--https-port', '0', '--mqtts-port', '0'];
  const options = ['up', '--folder', join(folder, 'server'), ...ports, '--log-level', 'warn', ...more];
  const process = startSrup(options, {}, nodeArgs);
  await untilTrue(
    'the server runs',
    () => {
      if (process.child.exitCode !== null) throw new Error(`srup up ended: ${process.stderr()}`);
      return process.stdout().includes('Ctrl-C stops it');
    },
    START_MS,
  );
  const startedMs = performance.now() - began;
  const fact = (name: string) => new RegExp(`^  ${name} +(\\S+)$`, 'm').exec(process.stdout())?.[1] ?? '';
  const [url, caFingerprint] = [fact('URL'), fact('CA fingerprint')];
  const env = { SRUP_CONFIG: join(folder, 'ctl.json') };
  const token = /--token (\S+)/.exec(process.stdout())?.[1];
  if (token !== undefined) {
    await runSrup(['ctl', 'login', '--url', url, '--ca-fingerprint', caFingerprint, '--token', token], env);
  }
  return { process, startedMs, url, caFingerprint, env };
}
