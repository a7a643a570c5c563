/** The table of docs/threats.md: every row with its tests and with what its controls take away. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rowOf } from './outcome.ts';
import { ROWS, type Row } from './rows.ts';

const root = new URL('../../', import.meta.url).pathname;

/** The title of a test, or of one behind `test.each(...)`, that names a control; titles are plain strings. */
const CONTROL = /(?:test|it|\))\(\s*(?:'(without\b[^'\n]*)'|"(without\b[^"\n]*)")/g;

export function renderThreatTable(): string {
  const files = globSync('test/attacks/**/*.test.ts', { cwd: root }).sort();
  const lines = ROWS.map((row) =>
    renderRow(
      row,
      files.filter((file) => rowOf(file) === row.number),
    ),
  );
  return ['| # | Attack | What holds | Tests | Controls |', '| - | - | - | - | - |', ...lines].join('\n');
}

function renderRow({ number, attack, holds }: Row, files: readonly string[]): string {
  const controls = files.flatMap((file) => controlsOf(readFileSync(join(root, file), 'utf8')));
  const links = files.map((file) => `[${file.replace('test/attacks/', '')}](../${file})`);
  const cells = [
    number,
    attack,
    holds,
    links.length === 0 ? 'not yet' : links.join(', '),
    controls.join('; '),
  ];
  return `| ${cells.join(' | ')} |`;
}

function controlsOf(source: string): string[] {
  const found = [...source.matchAll(CONTROL)];
  return found.map((match) => (match[1] ?? match[2] ?? '').replace(/: %s$/, ''));
}
