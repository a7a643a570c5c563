import { hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import type { SignedCheckpoint, VerifyReport } from '@srup/protocol';
import { showProgress } from '../screen/progress.ts';
import { systemReason } from '../system-reason.ts';
import { UserError } from '../user-error.ts';

const AFTER = `
FILE is the output of "srup audit export"; - is standard input. The check needs
no server and no secret. It makes sure that every entry follows from the one
before, that the server signed the checkpoints, that every message is signed by
its device or the server and has the hash that was recorded, that numbers were
used once, and that each receipt answers an order. The end of the output says
what that proves about each device, and what it does not prove.

--server-key takes the server's key from a source that you trust: a PEM file, or
the fingerprint that "srup audit status" shows. --checkpoint takes what a
witness received (JSON lines, as "srup up --witness" and
"srup audit checkpoint --json" write them). Without it, whoever holds the
server's key and database could have rewritten everything.

Examples:
  $ srup verify history.jsonl
  $ srup verify history.jsonl --server-key 9f86d0... --checkpoint witness.jsonl
  $ srup audit export | srup verify - --json

Exit codes: 0 no contradiction; 1 a contradiction, with the number of its entry;
2 wrong use, or a file that can't be read.`;

interface VerifyOptions {
  readonly serverKey?: string;
  readonly checkpoint?: readonly string[];
  readonly json?: true;
}

/** Adds `srup verify`, which checks an exported history offline. */
export function addVerifyCommand(program: Command): void {
  program
    .command('verify')
    .description('check an exported history offline, and say what it proves and what not')
    .argument('<file>', 'the history, or - for standard input')
    .option('--server-key <key>', "PEM file or fingerprint of the server's Ed25519 key")
    .option('--checkpoint <files...>', 'what a witness received')
    .option('--json', 'print JSON on stdout, for programs')
    .addHelpText('after', AFTER)
    .action(async (file: string, options: VerifyOptions) => {
      const { renderReport } = await import('./render.ts');
      const report = await verifyFile(file, options);
      if (options.json === true) console.log(JSON.stringify(report));
      else process.stdout.write(renderReport(report));
      if (!report.ok) process.exitCode = 1;
    });
}

async function verifyFile(file: string, options: VerifyOptions): Promise<VerifyReport> {
  const { createVerifier } = await import('@srup/protocol');
  const { importVerifyKey, publicFingerprint } = await import('@srup/node');
  const verifier = createVerifier({
    sha256: (data) => hash('sha256', data, 'hex'),
    importKey: importVerifyKey,
    fingerprint: publicFingerprint,
    serverKey: options.serverKey === undefined ? undefined : await readKey(options.serverKey),
    witness: options.checkpoint === undefined ? undefined : await readCheckpoints(options.checkpoint),
  });
  for await (const line of linesOf(file)) verifier.line(line);
  const report = verifier.finish();
  if (report.server !== undefined || report.entries > 0) return report;
  throw new UserError(
    `${file === '-' ? 'standard input' : file} holds no line of a history`,
    'Give the output of "srup audit export".',
  );
}

async function* linesOf(file: string): AsyncGenerator<string, void> {
  const size = file === '-' ? 0 : await sizeOf(file);
  const stream = file === '-' ? process.stdin : createReadStream(file);
  const progress = showProgress('Verifying {bar} {percentage}%', size, {});
  stream.on('data', (chunk: Buffer | string) => {
    progress.add(chunk.length);
  });
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) yield line;
  } catch (error) {
    throw unreadable(file, error);
  } finally {
    progress.stop();
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    throw unreadable(file, error);
  }
}

const KEY_HINT = 'Give the PEM file of the public key, or the fingerprint that "srup audit status" shows.';

async function readKey(text: string): Promise<string> {
  const hex = text
    .toLowerCase()
    .replace(/^sha256:/, '')
    .replaceAll(':', '');
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  const { KeyError, publicFingerprint } = await import('@srup/node');
  const pem = await readText(text).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(
      `"${text}" is not a fingerprint (64 hex digits), and as a file it can't be used: ${error.message}`,
      KEY_HINT,
    );
  });
  try {
    return publicFingerprint(pem);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    throw new UserError(`${text} holds no public key that can be used: ${error.message}`, KEY_HINT);
  }
}

/** Reads checkpoints. Other lines are skipped, as anybody can write to the file of a witness. */
async function readCheckpoints(files: readonly string[]): Promise<SignedCheckpoint[]> {
  const checkpoints: SignedCheckpoint[] = [];
  for (const file of files) {
    const before = checkpoints.length;
    for (const line of (await readText(file)).split('\n')) {
      const checkpoint = checkpointIn(line);
      if (checkpoint !== undefined) checkpoints.push(checkpoint);
    }
    if (checkpoints.length > before) continue;
    throw new UserError(
      `${file} holds no checkpoint`,
      'Give the file that a witness wrote: a JSON object with "checkpoint" and "signature" on each line.',
    );
  }
  return checkpoints;
}

function checkpointIn(line: string): SignedCheckpoint | undefined {
  try {
    const { checkpoint, signature } = JSON.parse(line) as Record<string, unknown>;
    return typeof checkpoint === 'string' && typeof signature === 'string'
      ? { text: checkpoint, signature }
      : undefined;
  } catch {
    return undefined;
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): UserError {
  return new UserError(
    `${file} can't be read: ${systemReason(error)}`,
    'Name a file that is there and that you may read.',
  );
}
