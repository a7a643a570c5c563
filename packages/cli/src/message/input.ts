/** Reads messages and keys from an argument, a file or standard input. */
import { createReadStream, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { UserError } from '../user-error.ts';
import { parseHex } from './request.ts';

/** The largest file or standard input, in bytes, that is read as a whole. */
const MAX_INPUT_BYTES = 8 << 20;

const STDIN = '-';

/** Reads a message: hex digits in the argument, or a file or standard input with hex or with the bytes themselves. */
export async function readMessageBytes(source: string): Promise<Uint8Array> {
  const inPlace = source === STDIN ? undefined : parseHex(source);
  if (inPlace !== undefined) return inPlace;
  if (source !== STDIN && !existsSync(source)) {
    throw new UserError(
      `"${source}" is neither hex nor a file.`,
      'Give pairs of hex digits, the name of a file, or - for standard input.',
    );
  }
  const bytes = await readWhole(source);
  // No version byte is a hex digit, so raw bytes are never mistaken for hex.
  return parseHex(bytes.toString('latin1')) ?? bytes;
}

export async function readText(source: string): Promise<string> {
  return (await readWhole(source)).toString('utf8');
}

async function readWhole(source: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of open(source)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_INPUT_BYTES) {
      throw new UserError(
        `The input is longer than ${MAX_INPUT_BYTES >> 20} MiB.`,
        'Give one message. Use --batch for many, with one JSON object on each line.',
      );
    }
  }
  return Buffer.concat(chunks);
}

/** The bytes of a file or of standard input, as they arrive. */
export async function* open(source: string): AsyncGenerator<Buffer> {
  if (source === STDIN && process.stdin.isTTY)
    console.error('Reading from the terminal; Ctrl-D ends the input.');
  const stream: AsyncIterable<Buffer> = source === STDIN ? process.stdin : createReadStream(source);
  try {
    yield* stream;
  } catch (error) {
    throw unreadable(source, error);
  }
}

/** Reads a key file as text. */
export async function readKeyFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'you may not read it',
};

function unreadable(file: string, error: unknown): Error {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) return error as Error;
  return new UserError(
    `"${file}" can't be read: ${REASONS[code] ?? code}.`,
    'Check the name and its permissions, and run the command again.',
  );
}
