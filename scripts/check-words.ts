// `npm run words:check`: finds words that this project does not use, in the files that git tracks and in new ones. The
// list is words.ts. Arguments are paths, to check only these.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EMPTY_NAMES, WORDS, type Word } from './words.ts';
import { root } from './workspaces.ts';

/** Files that are generated, legal or quoted, and those that list the words. */
const LEFT_OUT = [
  'package-lock.json',
  'LICENSE',
  'vectors/',
  'packages/protocol/src/presence/words-english.ts',
  'scripts/words.ts',
  'test/words/',
];
const CHANGELOG = 'CHANGELOG.md';

export interface Finding {
  /** Counted from 1. */
  readonly line: number;
  readonly found: string;
  readonly word: Word;
}

/** The words of the list that a text uses, in the order of its lines. */
export function findWords(text: string, words: readonly Word[] = WORDS): Finding[] {
  const lines = text.split('\n');
  return words
    .flatMap((word) =>
      [...text.matchAll(acrossLines(word.insteadOf))].map((match) => {
        const line = text.slice(0, match.index).split('\n').length;
        return { line, found: match[0].replace(/\s+(?:[*/#]+\s+)?/g, ' ').trim(), word };
      }),
    )
    .filter(({ line, word }) => word.except?.test(lines[line - 1] ?? '') !== true)
    .sort((one, other) => one.line - other.line);
}

/** Text is wrapped, so a space in the pattern also matches the end of a line and the mark of a comment on the next. */
function acrossLines({ source, flags }: RegExp): RegExp {
  return new RegExp(
    source.replaceAll(/ (?![*+?{])/g, '(?:[ \\t]+|[ \\t]*\\n[ \\t]*(?:(?:\\*|\\/\\/|#)[ \\t]+)?)'),
    `${flags}g`,
  );
}

/** The part of the changelog that is still written; the notes of released versions stay as they are. */
function unreleased(changelog: string): string {
  return changelog.split(/^(?=## \[\d)/m)[0] ?? '';
}

function trackedFiles(paths: readonly string[]): string[] {
  const listed = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...paths],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  return listed.split('\0').filter((path) => path !== '' && !LEFT_OUT.some((left) => path.startsWith(left)));
}

function readText(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(join(root, path), 'utf8');
  } catch {
    return undefined; // It was removed, but not in git yet.
  }
  if (text.includes('\0')) return undefined;
  return path === CHANGELOG ? unreleased(text) : text;
}

/** The problems of a file, as lines for people. */
function problemsOf(path: string): string[] {
  const text = readText(path);
  if (text === undefined) return [];
  const named = EMPTY_NAMES.test(path) ? [`${path}: the name does not say what is in the file`] : [];
  const found = findWords(text).map(
    ({ line, found, word }) => `${path}:${line}: "${found}": say ${word.say} (${word.why})`,
  );
  return [...named, ...found];
}

if (import.meta.main) {
  const files = trackedFiles(process.argv.slice(2));
  const problems = files.flatMap(problemsOf);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) {
    console.error(
      `\n${problems.length} in ${files.length} files. The list, with what to say instead: scripts/words.ts`,
    );
    process.exit(1);
  }
  console.log(`${files.length} files: the words are those of scripts/words.ts`);
}
