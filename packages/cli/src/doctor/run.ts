import { resolve } from 'node:path';
import { createOutput } from '../screen/output.ts';
import { readCa } from '../client/profile.ts';
import { printable } from '../screen/printable.ts';
import { mustHold } from '../must-hold.ts';
import { terminalOf } from '../screen/terminal.ts';
import { EXIT, UserError } from '../user-error.ts';
import { runChecks, type Check, type Finding, type Verdict } from './finding.ts';

const STYLES: Readonly<Record<Verdict, 'green' | 'dim' | 'yellow' | 'red'>> = {
  ok: 'green',
  untried: 'dim',
  warning: 'yellow',
  failed: 'red',
};

export interface ServerDoctorOptions {
  readonly folder: string;
  readonly url: string;
  readonly broker: string;
  readonly brokerCa?: string;
  readonly json?: true;
}

/** Runs `srup doctor`. */
export async function examineServer(options: ServerDoctorOptions, version: string): Promise<void> {
  const folder = resolve(options.folder);
  const { serverChecks } = await import('./server.ts');
  const brokerCa = options.brokerCa === undefined ? undefined : await readCa(options.brokerCa);
  const { origin } = addressOf(options.url, 'https:');
  const broker = addressOf(options.broker, 'mqtts:').href;
  await mustHold(folder, 'vault.json', 'server', '--folder');
  await examine(serverChecks({ folder, url: origin, broker, brokerCa, version }), options.json === true);
}

/** Runs `srup doctor agent`. */
export async function examineAgent(options: { readonly home: string; readonly json?: true }): Promise<void> {
  const home = resolve(options.home);
  const { agentChecks } = await import('./agent.ts');
  await mustHold(home, 'agent.json', 'agent', '--home');
  await examine(agentChecks(home), options.json === true);
}

function addressOf(text: string, protocol: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === protocol && url.hostname !== '') return url;
  throw new UserError(
    `"${text}" is not an ${protocol.slice(0, -1)} address`,
    `Write it as ${protocol}//HOST:PORT`,
  );
}

async function examine(checks: readonly Check[], json: boolean): Promise<void> {
  const output = createOutput(json);
  const findings = await runChecks(checks, json ? () => undefined : show);
  const failures = findings.filter(({ verdict }) => verdict === 'failed').length;
  const warnings = findings.filter(({ verdict }) => verdict === 'warning').length;
  output.result({ ok: failures === 0, findings }, () => {
    output.line('');
    output.line(
      failures + warnings === 0 ? 'Nothing is wrong.' : `${failures} failed, ${warnings} warnings.`,
    );
  });
  if (failures > 0) process.exitCode = EXIT.refused;
}

/** Prints a finding at once, as some checks take seconds. */
function show({ check, verdict, what, todo }: Finding): void {
  const { paint } = terminalOf(process.stdout);
  const head = paint(STYLES[verdict], verdict.padEnd(8));
  process.stdout.write(`${head} ${check.padEnd(16)} ${printable(what)}\n`);
  if (todo !== undefined) process.stdout.write(`${' '.repeat(26)}-> ${printable(todo)}\n`);
}
