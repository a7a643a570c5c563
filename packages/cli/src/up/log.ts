import { Writable } from 'node:stream';
import type { Logger } from 'pino';
import { printable } from '../ctl/printable.ts';
import { clockTime } from '../ctl/words.ts';
import { terminalOf } from '../terminal.ts';
import { rotatingFile } from './rotating.ts';

type Style = 'dim' | 'red' | 'yellow';

interface Line {
  readonly level: number;
  readonly time: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

const LEVELS: Readonly<Record<number, readonly [name: string, style?: Style]>> = {
  20: ['debug', 'dim'],
  30: ['info'],
  40: ['warn', 'yellow'],
  50: ['error', 'red'],
  60: ['fatal', 'red'],
};
/** Said once in the banner, or of no use to a person. */
const UNSAID = new Set(['level', 'time', 'msg', 'component']);

const WARN = 40;

/** Who says it; where the lines of several come together, each tells. */
type Component = 'server' | 'agent';

/** A log on stderr: JSON lines for programs, or a line each for people. */
export async function createLog(component: Component, level: string, isJson: boolean): Promise<Logger> {
  const { pino } = await import('pino');
  return pino({ level, base: { component } }, isJson ? process.stderr : linesTo(process.stderr));
}

/** A log at the end of a file, for its owner alone; what needs attention is on stderr as well. */
export async function createFileLog(file: string, level: string): Promise<Logger> {
  const { pino } = await import('pino');
  const all = rotatingFile(file);
  const attention = linesTo(process.stderr, WARN);
  const both = new Writable({
    write(chunk: Buffer, encoding, done) {
      attention.write(chunk, encoding);
      all.write(chunk, encoding, () => {
        done();
      });
    },
  });
  return pino({ level, base: { component: 'server' } }, both);
}

function linesTo(stream: NodeJS.WriteStream, leastLevel = 0): Writable {
  const { paint } = terminalOf(stream);
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const text of chunk.toString().split('\n')) {
        if (text === '') continue;
        const line = JSON.parse(text) as Line;
        if (line.level >= leastLevel) stream.write(`${show(line, paint)}\n`);
      }
      done();
    },
  });
}

function show(line: Line, paint: (style: Style, text: string) => string): string {
  const [name, style] = LEVELS[line.level] ?? ['log'];
  const fields = Object.entries(line).filter(([field]) => !UNSAID.has(field));
  const shown = printable(fields.map(([field, value]) => `${field}=${shownValue(value)}`).join(' '));
  const level = (style === undefined ? name : paint(style, name)) + ' '.repeat(5 - name.length);
  const parts = [paint('dim', clockTime(line.time)), level, printable(line.msg ?? '')];
  return (shown === '' ? parts : [...parts, paint('dim', shown)]).join('  ');
}

function shownValue(value: unknown): string {
  if (typeof value === 'string') return value;
  const { message } = (value ?? {}) as { readonly message?: unknown };
  // Of an error the message; a stack trace is for --json-logs.
  return typeof message === 'string' ? message : JSON.stringify(value);
}
