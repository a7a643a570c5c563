import { Writable } from 'node:stream';
import type { Logger } from 'pino';
import { printable } from '../screen/printable.ts';
import { clockTime } from '../screen/words.ts';
import { terminalOf } from '../screen/terminal.ts';
import { EXIT, ToldError, UserError } from '../user-error.ts';
import { rotatingFile } from './rotating.ts';

type Style = 'dim' | 'red' | 'yellow';

interface Line {
  readonly level: string;
  readonly time: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

const STYLES: Readonly<Record<string, Style>> = {
  debug: 'dim',
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
};
/** Fields that the banner shows or that are useless to a person. */
const UNSAID = new Set(['level', 'time', 'msg', 'component']);

const ATTENTION = new Set(['warn', 'error', 'fatal']);

/** The program that logs; it is in every line, for logs that hold the lines of several programs. */
type Component = 'server' | 'agent';

/** Opens a log on stderr: JSON lines for programs, or lines for people. */
export function createLog(component: Component, level: string, isJson: boolean): Promise<Logger> {
  return openLog(component, level, isJson ? process.stderr : linesTo(process.stderr));
}

/** Runs `work`. If the log is JSON lines, a user's mistake that ends the work is logged as one of them. */
export async function endInForm(
  component: Component,
  isJson: boolean,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isJson || !(error instanceof UserError)) throw error;
    (await createLog(component, 'fatal', true)).fatal({ hint: error.hint }, error.message);
    throw new ToldError(EXIT.usage, error);
  }
}

/** Opens a log that appends to a file which only its owner can read. Warnings and errors go to stderr too. */
export function createFileLog(file: string, level: string): Promise<Logger> {
  const all = rotatingFile(file);
  const attention = linesTo(process.stderr, ({ level }) => ATTENTION.has(level));
  const both = new Writable({
    write(chunk: Buffer, encoding, done) {
      attention.write(chunk, encoding);
      all.write(chunk, encoding, () => {
        done();
      });
    },
  });
  return openLog('server', level, both);
}

async function openLog(component: Component, level: string, to: NodeJS.WritableStream): Promise<Logger> {
  const { pino } = await import('pino');
  // The level is a word: every log reader knows "error", but 50 needs an explanation.
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: { component }, formatters }, to);
}

function linesTo(stream: NodeJS.WriteStream, isWanted: (line: Line) => boolean = () => true): Writable {
  const { paint } = terminalOf(stream);
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const text of chunk.toString().split('\n')) {
        if (text === '') continue;
        const line = JSON.parse(text) as Line;
        if (isWanted(line)) stream.write(`${show(line, paint)}\n`);
      }
      done();
    },
  });
}

function show(line: Line, paint: (style: Style, text: string) => string): string {
  const style = STYLES[line.level];
  const fields = Object.entries(line).filter(([field]) => !UNSAID.has(field));
  const shown = printable(fields.map(([field, value]) => `${field}=${shownValue(value)}`).join(' '));
  const padded = line.level.padEnd(5);
  const level = style === undefined ? padded : paint(style, padded);
  const parts = [paint('dim', clockTime(line.time)), level, printable(line.msg ?? '')];
  return (shown === '' ? parts : [...parts, paint('dim', shown)]).join('  ');
}

function shownValue(value: unknown): string {
  if (typeof value === 'string') return value;
  const { message } = (value ?? {}) as { readonly message?: unknown };
  // An error shows its message only; --json-logs has the stack trace.
  return typeof message === 'string' ? message : JSON.stringify(value);
}
