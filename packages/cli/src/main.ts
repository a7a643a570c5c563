import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addAgentCommand } from './agent/command.ts';
import { addBackupCommands } from './backup/command.ts';
import { addAuditCommand } from './audit/command.ts';
import { addVerifyCommand } from './audit/verify.ts';
import { addCtlCommand } from './ctl/command.ts';
import { addCompletionCommand } from './ctl/completion.ts';
import { addDoctorCommand } from './doctor/command.ts';
import { addMessageCommand } from './message/command.ts';
import { addSimulateCommand } from './simulate/command.ts';
import { addStartCommand } from './start/command.ts';
import { addUpCommand } from './up/command.ts';
import { EXIT, UserError } from './user-error.ts';

const EXIT_CODES = `
Exit codes:
  0  done
  1  the message, device or server said no
  2  wrong use: an option, a file, a key
  3  the server can't be reached, or is not the one you trust
  4  a fault of srup itself`;

export function createProgram(): Command {
  const program = new Command('srup')
    .description('Secure Remote Update Protocol: manage devices, and look at what they say')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .exitOverride()
    .showHelpAfterError('Run the command with --help to see how it is used.')
    .configureOutput({
      outputError: (text, write) => {
        write(text.replace(/^error: /, 'srup: '));
      },
    })
    .addHelpText('after', EXIT_CODES);
  // Help shows them in this order. Each loads what it needs only when it runs.
  addStartCommand(program);
  addUpCommand(program);
  addBackupCommands(program);
  addDoctorCommand(program);
  addAgentCommand(program);
  addCtlCommand(program);
  addAuditCommand(program);
  addVerifyCommand(program);
  addSimulateCommand(program);
  addMessageCommand(program);
  addCompletionCommand(program);
  return program;
}

/** The version in the package's manifest, which lies one folder above both src and lib. */
function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Runs one command; `process.exitCode` is its outcome. */
export async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', endQuietly);
  process.on('uncaughtException', die);
  try {
    await createProgram().parseAsync(argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** The reader of our output left, as `head` does: nobody is interested in the rest. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit();
  die(error);
}

function die(error: unknown): void {
  process.exit(report(error));
}

/** Says on stderr what went wrong; gives the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage; // commander has said it
  if (error instanceof UserError) {
    console.error(`srup: ${error.message}\n${error.hint}`);
    return EXIT.usage;
  }
  console.error(`srup: unexpected fault: ${error instanceof Error ? error.message : String(error)}`);
  console.error('Please report it as CONTRIBUTING.md says. SRUP_DEBUG=1 shows where it happened.');
  if (process.env['SRUP_DEBUG'] === '1') console.error(error);
  return EXIT.fault;
}
