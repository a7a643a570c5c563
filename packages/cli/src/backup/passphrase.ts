import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Secret } from '@srup/node';
import { systemReason } from '../system-reason.ts';
import { UserError } from '../user-error.ts';

/** Reads the passphrase from a file, or from standard input for "-"; the line end is not part of it. */
export async function readPassphrase(source: string | undefined): Promise<Secret | undefined> {
  if (source === undefined) return undefined;
  if (source === '-' && process.stdin.isTTY) {
    throw new UserError(
      'the passphrase would be visible on the screen',
      'Pipe it in, or put it into a file.',
    );
  }
  const content = await (source === '-' ? text(process.stdin) : readFile(source, 'utf8')).catch(
    (fault: unknown) => {
      throw new UserError(
        `${source} can't be read: ${systemReason(fault)}`,
        'Name a file with the passphrase.',
      );
    },
  );
  const passphrase = content.replace(/\r?\n$/, '');
  const [{ LEAST_PASSPHRASE }, { Secret }] = await Promise.all([
    import('@srup/server'),
    import('@srup/node'),
  ]);
  if (passphrase.length >= LEAST_PASSPHRASE) return new Secret(passphrase);
  throw new UserError(
    `the passphrase has fewer than ${LEAST_PASSPHRASE} characters`,
    'Choose a longer one: whoever has the file can try as many as they like.',
  );
}
