import type { Command } from 'commander';
import { UserError } from '../user-error.ts';
import { openApi, type Api } from './api.ts';
import { CTL_EXIT, Failure } from '../failure.ts';
import { createOutput, type Output } from '../screen/output.ts';
import { printable } from '../screen/printable.ts';
import { asTyped } from '../screen/program-name.ts';
import { DEFAULT_PROFILE, loadLogin } from './profile.ts';

/** What a command uses. */
export interface Session {
  readonly api: Api;
  readonly output: Output;
}

export interface CommonOptions {
  readonly json?: true;
  readonly profile: string;
}

const EXIT_CODES = `
Exit codes:
  0    done
  1    a device failed or refused, or the server refused
  2    wrong use: an option, a name, a file
  3    the server can't be reached, or is not the one you trust
  130  interrupted with Ctrl-C`;

/** Defines a command that uses a server, with the options that all of them share. `examples` follow `program` in the help. */
export function defineCommand(
  parent: Command,
  usage: string,
  description: string,
  examples: readonly string[],
  program = 'srup ctl',
): Command {
  const lines = examples.map((example) => `  $ ${program} ${example}`).join('\n');
  return parent
    .command(usage)
    .description(description)
    .option('--json', 'print JSON on stdout, for programs')
    .option('--profile <name>', 'the login to use', DEFAULT_PROFILE)
    .addHelpText('after', `\nExamples:\n${lines}\n${EXIT_CODES}`);
}

/** Takes devices and then one more thing. commander can't tell them apart, so one argument holds both. */
export function takeDevicesAnd(command: Command, thing: string, meaning: string): Command {
  return command
    .usage(`[options] DEVICE... ${thing}`)
    .argument(`<${thing}...>`, `devices (id, name, beginning of an id), then ${meaning}`)
    .configureHelp({ argumentTerm: () => `DEVICE... ${thing}` });
}

/** Runs a command with the login of a profile. `run` resolves to the exit code; undefined is 0. */
export function withSession(
  options: CommonOptions,
  run: (session: Session) => Promise<number | undefined>,
): Promise<void> {
  return reportFailures(async () => {
    const api = openApi(await loadLogin(options.profile));
    try {
      return await run({ api, output: createOutput(options.json === true) });
    } finally {
      api.close();
    }
  });
}

/** Reports a failure in two lines and sets the exit code. Errors of the program itself are thrown on. */
export async function reportFailures(run: () => Promise<number | undefined>): Promise<void> {
  try {
    process.exitCode = (await run()) ?? CTL_EXIT.ok;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    // A text of the server can hold text of devices.
    console.error(`srup: ${printable(error.message)}\n${printable(asTyped(error.hint))}`);
    process.exitCode = error instanceof Failure ? error.exitCode : CTL_EXIT.usage;
  }
}
