/** Checks the form of a log, and that it holds no secret. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----\n([\s\S]+?)-----END/g;
/** The first characters of a line of base64, which other keys can share. */
const COMMON = 16;
const LEVELS = new Set(['debug', 'info', 'warn', 'error', 'fatal']);

/** Parses the lines of a log; `malformed` are those that are not JSON objects with level, time, component and msg. */
export function readLines(log: string, component: string): { lines: LogLine[]; malformed: string[] } {
  const lines: LogLine[] = [];
  const malformed: string[] = [];
  for (const text of log.split('\n').slice(0, log.endsWith('\n') ? -1 : undefined)) {
    const line = parse(text);
    const isGood =
      LEVELS.has(line?.level ?? '') &&
      Number.isSafeInteger(line?.time) &&
      line?.component === component &&
      typeof line.msg === 'string';
    if (line !== undefined && isGood) lines.push(line);
    else malformed.push(text);
  }
  return { lines, malformed };
}

export interface LogLine {
  readonly level: string;
  readonly time: number;
  readonly component: string;
  readonly msg: string;
}

function parse(text: string): LogLine | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === 'object' && line !== null ? (line as LogLine) : undefined;
  } catch {
    return undefined;
  }
}

/** Every line of every private key in the files of a folder: as it is in PEM, and its bytes in hex. */
export async function keysIn(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const paths = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const path of paths.filter((one) => one.isFile())) {
    const file = join(path.parentPath, path.name);
    for (const [, body = ''] of (await readFile(file, 'latin1')).matchAll(PRIVATE_KEY)) {
      for (const line of body
        .trim()
        .split('\n')
        .filter(({ length }) => length > COMMON)) {
        found.set(line, `a private key of ${file}`);
        found.set(Buffer.from(line, 'base64').toString('hex'), `a private key of ${file}, in hex`);
      }
    }
  }
  return found;
}

/** The names of the secrets that a text holds. `secrets` maps each secret to its name. */
export function leaksIn(text: string, secrets: ReadonlyMap<string, string>): string[] {
  const held = [...secrets].filter(([secret]) => text.includes(secret));
  return [...new Set(held.map(([, name]) => name))];
}
