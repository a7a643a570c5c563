import { text as readAll } from 'node:stream/consumers';
import { UserError } from '../user-error.ts';
import { CTL_EXIT, Failure } from '../failure.ts';

/** Questions go to stderr, as stdout is for results. */
const output = process.stderr;

export function canAsk(): boolean {
  return process.stdin.isTTY && output.isTTY;
}

export async function askText(message: string, placeholder: string): Promise<string> {
  const { text } = await import('@clack/prompts');
  return answerOf(await text({ message, placeholder, defaultValue: placeholder, output }));
}

/** Asks for a secret without showing it, so that it is neither on the screen nor in the shell's history. */
export async function askSecret(message: string): Promise<string> {
  const { password } = await import('@clack/prompts');
  return answerOf(await password({ message, output }));
}

/** Reads the first line of stdin, for `--token -`. */
export async function readSecretLine(): Promise<string> {
  const [line = ''] = (await readAll(process.stdin)).split('\n');
  return line.trim();
}

/** Lets the person confirm what can't be undone by typing `expected`. `yes`: it was confirmed on the command line. */
export async function confirmTyped(what: string, expected: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!canAsk())
    throw new UserError(`${what}: this needs a confirmation`, 'Give --yes if nobody can be asked.');
  const { text } = await import('@clack/prompts');
  const typed = answerOf(await text({ message: `${what}. Type ${expected} to continue:`, output }));
  if (typed.trim() !== expected) {
    throw new UserError(`"${typed}" is not ${expected}: nothing was done`, 'Type it exactly, or give --yes.');
  }
}

function answerOf(answer: string | symbol | undefined): string {
  if (typeof answer === 'string') return answer;
  throw new Failure(CTL_EXIT.interrupted, 'interrupted: nothing was done', 'Run the command again.');
}
