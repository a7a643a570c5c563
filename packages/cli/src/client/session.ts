import type { Command } from 'commander';
import { UserError } from '../user-error.ts';
import { openApi, type Api } from './api.ts';
import { CTL_EXIT, Failure } from '../failure.ts';
import { createOutput, type Output } from '../screen/output.ts';
import { printable } from '../screen/printable.ts';
import { asTyped } from '../screen/program-name.ts';
import { DEFAULT_PROFILE, loadLogin } from './profile.ts';

/** What a command works with. */
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
  1    a device failed or refused, or the server said no
  2    wrong use: an option, a name, a file
  3    the server can't be reached, or is not the one you trust
  130  interrupted with Ctrl-C`;

/** A command that talks to a server, with what all of them share. `examples`: what follows `program`, one a line. */
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

/** Devices and then one thing more, which commander can't tell apart: one argument holds both. */
export function takeDevicesAnd(command: Command, thing: string, meaning: string): Command {
  return command
    .usage(`[options] DEVICE... ${thing}`)
    .argument(`<${thing}...>`, `devices (id, name, beginning of an id), then ${meaning}`)
    .configureHelp({ argumentTerm: () => `DEVICE... ${thing}` });
}

/** Runs a command as whom the profile names. What `run` resolves to is the exit code, 0 unless told. */
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

/** Says what went wrong in two lines, and sets the exit code. Mistakes of the program pass. */
export async function reportFailures(run: () => Promise<number | undefined>): Promise<void> {
  try {
    process.exitCode = (await run()) ?? CTL_EXIT.ok;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    // Words of the server can hold words of devices.
    console.error(`srup: ${printable(error.message)}\n${printable(asTyped(error.hint))}`);
    process.exitCode = error instanceof Failure ? error.exitCode : CTL_EXIT.usage;
  }
}
