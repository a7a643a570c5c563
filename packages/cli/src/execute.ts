/** Runs one command: what both programs of this package share. */
import { readFileSync } from 'node:fs';
import { type Command, CommanderError } from 'commander';
import { EXIT, ToldError, UserError } from './user-error.ts';

/** The version in the package's manifest, which is one folder above both src and lib. */
export function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Runs one command; `process.exitCode` is its outcome. */
export async function execute(program: () => Command, argv: readonly string[]): Promise<void> {
  process.stdout.on('error', endQuietly);
  process.on('uncaughtException', die);
  try {
    await program().parseAsync(argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Ends without a message when the reader of the output has closed it, as `head` does. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit();
  die(error);
}

function die(error: unknown): void {
  process.exit(report(error));
}

/** commander's message names its own parts; ours names the argument. */
const WRONG_CHOICE = /command-argument value (?<value>'.*') is invalid for argument '(?<argument>.*)'\./;

/** Makes a program report wrong use in the form of this package. */
export function speakPlainly(program: Command): Command {
  return program
    .exitOverride()
    .showHelpAfterError('Run the command with --help to see how it is used.')
    .configureOutput({
      outputError: (text, write) => {
        write(
          text.replace(/^error: /, 'srup: ').replace(WRONG_CHOICE, '$<value> is not a valid $<argument>.'),
        );
      },
    });
}

/** Reports an error on stderr and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage; // commander has reported it
  if (error instanceof ToldError) return error.exitCode;
  if (error instanceof UserError) {
    console.error(`srup: ${error.message}\n${error.hint}`);
    return EXIT.usage;
  }
  console.error(`srup: unexpected fault: ${error instanceof Error ? error.message : String(error)}`);
  console.error('Please report it as CONTRIBUTING.md says. SRUP_DEBUG=1 shows where it happened.');
  if (process.env['SRUP_DEBUG'] === '1') console.error(error);
  return EXIT.fault;
}
