import { createHash, timingSafeEqual } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Secret, syncFolder, writeFileAtomic } from '@srup/node';
import type { Random } from '@srup/protocol';
import { readIfThere } from './files.ts';

const TOKEN_BYTES = 20;

/** The right to become the first operator. It works once. */
export interface SetupToken {
  /** The token itself, until one was used. Each start makes a new one and shows it; the folder has only its hash. */
  readonly shown?: Secret;
  /** Is this the right token, and not used? Changes nothing. */
  matches(text: string): boolean;
  /** Resolves to true once, for the right token. It stays used across a crash. */
  consume(text: string): Promise<boolean>;
}

/**
 * Makes the set-up token of this start in the server's own folder, unless one was used. Whoever removes
 * `setup-token.used` there gets a new token at the next start.
 */
export async function openSetupToken(folder: string, random: Random): Promise<SetupToken> {
  const file = join(folder, 'setup-token');
  const usedFile = `${file}.used`;
  if ((await readIfThere(usedFile)) !== undefined) {
    return { matches: () => false, consume: () => Promise.resolve(false) };
  }

  // A token that was printed and lost, or never printed because of a crash, must not lock its owner out.
  const shown = new Secret(Buffer.from(random.bytes(TOKEN_BYTES)).toString('hex'));
  const hash = hashOf(shown.reveal());
  await writeFileAtomic(file, `${hash.toString('hex')}\n`);
  let used = false;

  function matches(text: string): boolean {
    return timingSafeEqual(hashOf(text.trim().toLowerCase()), hash) && !used;
  }

  async function consume(text: string): Promise<boolean> {
    if (!matches(text)) return false;
    used = true; // before anything is awaited: of two at once, one gets it
    try {
      await rename(file, usedFile);
      await syncFolder(dirname(file));
    } catch (error) {
      used = false;
      throw error;
    }
    return true;
  }
  return { shown, matches, consume };
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
