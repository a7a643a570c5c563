import Table from 'cli-table3';
import type { styleText } from 'node:util';
import { terminalOf } from './terminal.ts';
import { printable, printableJson } from './printable.ts';
import { asTyped } from './program-name.ts';

type Style = Parameters<typeof styleText>[0];

/** A text from any source, with its colour on a terminal. */
export type Cell = string | { readonly text: string; readonly style: Style };

/** Writes the results of one command: one JSON value for programs, or text for people. */
export interface Output {
  readonly json: boolean;
  /** Writes the result as JSON, or calls `show` to write it for people. */
  result(value: unknown, show: () => void): void;
  line(cell: Cell, ...more: readonly Cell[]): void;
  table(head: readonly string[], rows: readonly (readonly Cell[])[]): void;
  /** Writes a name and a value on each line; those without a value are left out. */
  facts(facts: readonly (readonly [name: string, value: Cell | undefined])[]): void;
  /** Writes to stderr what is not part of the result: progress and advice. */
  note(text: string): void;
}

const GAP = '  ';
const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: GAP,
};

export function createOutput(json: boolean): Output {
  const terminal = terminalOf(process.stdout);
  const draw = (cell: Cell) =>
    typeof cell === 'string' ? printable(cell) : terminal.paint(cell.style, printable(cell.text));
  const write = (text: string) => {
    process.stdout.write(`${text}\n`);
  };

  const output: Output = {
    json,
    result: (value, show) => {
      if (json) write(printableJson(value, terminal.isTerminal ? 2 : 0));
      else show();
    },
    line: (...cells) => {
      write(cells.map(draw).join(''));
    },
    table: (head, rows) => {
      const style = { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true };
      const table = new Table({ chars: NO_BORDERS, style });
      table.push(head.map((text) => terminal.paint('bold', text)));
      table.push(...rows.map((row) => row.map(draw)));
      write(table.toString().replace(/ +$/gm, ''));
    },
    facts: (facts) => {
      const width = Math.max(...facts.map(([name]) => name.length));
      for (const [name, value] of facts) {
        if (value !== undefined) write(`${terminal.paint('bold', name.padEnd(width))}${GAP}${draw(value)}`);
      }
    },
    note: (text) => {
      process.stderr.write(`${printable(asTyped(text))}\n`);
    },
  };
  return output;
}
