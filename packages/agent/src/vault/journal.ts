/**
 * The form of the journal: one line for each commit, `<crc32> <json>`. The first line holds the whole state, and each later
 * one the changes of one commit. A line counts only as a whole, so a commit counts as a whole or not at all.
 */
import { crc32 } from 'node:zlib';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What a key can hold; null stands for no value in the file. */
export type Value = Exclude<Json, null>;

/** Key to its new value; undefined: the key is removed. */
export type Changes = ReadonlyMap<string, Value | undefined>;

/** Damage that no power cut leaves. `line`: counted from 1. */
export class JournalDamage extends Error {
  override readonly name = 'JournalDamage';
  readonly line: number;

  constructor(line: number) {
    super(`line ${line} is damaged`);
    this.line = line;
  }
}

interface Line {
  /** Counts up from 0, so that a lost line is noticed. */
  readonly n: number;
  /** Pairs; null removes the key. */
  readonly c: readonly (readonly [string, Json])[];
}

const NEWLINE = 0x0a;

export function encodeCommit(n: number, changes: Changes): Uint8Array {
  const line: Line = { n, c: [...changes].map(([key, value]) => [key, value ?? null]) };
  const json = JSON.stringify(line);
  return Buffer.from(`${checksum(Buffer.from(json))} ${json}\n`);
}

export interface Replayed {
  readonly values: Map<string, Value>;
  /** Lines that count. */
  readonly commits: number;
  /** The last append did not reach the disk as a whole: it never happened. */
  readonly torn: boolean;
}

/**
 * Reads a journal. A bad end comes from an append that a power cut interrupted: nobody heard of that commit, so it is left
 * out. Anything bad before a good line was durable once: that throws `JournalDamage`.
 */
export function replayJournal(bytes: Uint8Array): Replayed {
  const values = new Map<string, Value>();
  const lines = splitLines(bytes);
  const firstBad = lines.findIndex((line, n) => parseLine(line)?.n !== n);
  const good = firstBad === -1 ? lines : lines.slice(0, firstBad);
  const rest = lines.slice(good.length);
  if (firstBad === 0 || rest.some((line) => parseLine(line) !== undefined || holdsAnother(line))) {
    throw new JournalDamage(firstBad + 1);
  }
  for (const line of good) {
    for (const [key, value] of (parseLine(line) as Line).c) {
      if (value === null) values.delete(key);
      else values.set(key, value);
    }
  }
  return { values, commits: good.length, torn: good.length < lines.length };
}

/** Splits into lines, each with its newline; only the last can have none. */
function splitLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline + 1;
    lines.push(bytes.subarray(start, end));
    start = end;
  }
  return lines;
}

function parseLine(line: Uint8Array): Line | undefined {
  if (line.at(-1) !== NEWLINE) return undefined;
  const json = line.subarray(9, -1);
  if (Buffer.from(line.subarray(0, 9)).toString('latin1') !== `${checksum(json)} `) return undefined;
  return JSON.parse(Buffer.from(json).toString()) as Line;
}

/** The beginning of a line. No value looks like it, as quotes are escaped in values. */
const BEGINNING = /[0-9a-f]{8} \{"n":\d/;

/** Does the line hold the beginning of another one? A damaged newline joins two lines; an append never does. */
function holdsAnother(line: Uint8Array): boolean {
  return BEGINNING.test(Buffer.from(line.subarray(1)).toString('latin1'));
}

function checksum(json: Uint8Array): string {
  return crc32(json).toString(16).padStart(8, '0');
}
