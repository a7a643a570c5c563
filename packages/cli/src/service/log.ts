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
/** Said once in the banner, or of no use to a person. */
const UNSAID = new Set(['level', 'time', 'msg', 'component']);

const ATTENTION = new Set(['warn', 'error', 'fatal']);

/** Who says it; where the lines of several come together, each tells. */
type Component = 'server' | 'agent';

/** A log on stderr: JSON lines for programs, or a line each for people. */
export function createLog(component: Component, level: string, isJson: boolean): Promise<Logger> {
  return openLog(component, level, isJson ? process.stderr : linesTo(process.stderr));
}

/** Runs what logs: where that is in lines of JSON, a mistake of its user that ends it is one of them. */
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

/** A log at the end of a file, for its owner alone; what needs attention is on stderr as well. */
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
  // A word: what reads logs knows "error" by itself, and 50 only when it is told.
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
  // Of an error the message; a stack trace is for --json-logs.
  return typeof message === 'string' ? message : JSON.stringify(value);
}
