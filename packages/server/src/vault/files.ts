/** The vault's files: private keys in PEM. Each is written as a whole, so that none is ever half there. */
import { createPublicKey } from 'node:crypto';
import type { Stats } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makePrivateFolder, writeFileAtomic, Secret, type KeyPairPem, type KeySet } from '@srup/node';
import { SUITES, type SuiteName } from '@srup/protocol';
import type { Credential } from '../authority/authority.ts';
import { parseKey } from '../authority/keys.ts';

/** Thrown when something in the vault's folder is not as the server left it. The message says what to do. */
export class VaultError extends Error {
  override readonly name = 'VaultError';
}

const OTHERS = 0o077;
const PRIVATE_KEY = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]+?-----END \1-----/g;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n?/g;
/** The files that a crash in the middle of writing leaves: they may hold a key. */
const LEFTOVER = /^\..+\.tmp$/;

/** Undefined when there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Reads the file; makes and writes it first when there is none. Throws `VaultError` when it is missing and `mayMake` is false. */
export async function readOrMake(
  path: string,
  mayMake: boolean,
  make: () => Promise<string> | string,
): Promise<string> {
  const found = await readIfThere(path);
  if (found !== undefined) return found;
  if (!mayMake) {
    throw new VaultError(
      `${path} is missing: it holds a key or name that devices already know. Restore it from a backup of ${dirname(dirname(path))}. (Without a backup, start with a new folder; every device must then register again.)`,
    );
  }
  const made = await make();
  await writeFileAtomic(path, made);
  return made;
}

/** Writes a key set as one file: the private signing key, then the private sealing key where the suite has one. */
export function formatKeySet({ signing, sealing }: KeySet): string {
  return signing.privatePem.reveal() + (sealing?.privatePem.reveal() ?? '');
}

export function parseKeySet(suite: SuiteName, text: string, path: string): KeySet {
  const [signing, sealing] = text.match(PRIVATE_KEY) ?? [];
  const needsSealing = SUITES[suite].sealing === 'hpke-x25519';
  if (signing === undefined || needsSealing !== (sealing !== undefined)) throw damaged(path);
  return { suite, signing: pairOf(signing, path), ...(sealing && { sealing: pairOf(sealing, path) }) };
}

function pairOf(pem: string, path: string): KeyPairPem {
  const privatePem = new Secret(`${pem}\n`);
  return {
    privatePem,
    publicPem: readingOf(path, () =>
      createPublicKey(parseKey(privatePem)).export({ format: 'pem', type: 'spki' }).toString(),
    ),
  };
}

export function formatCredential({ key, chain }: Credential): string {
  return key.reveal() + chain;
}

export function parseCredential(text: string, path: string): Credential {
  const [key] = text.match(PRIVATE_KEY) ?? [];
  const certificates = text.match(CERTIFICATE) ?? [];
  if (key === undefined || certificates.length === 0) throw damaged(path);
  return { key: new Secret(`${key}\n`), chain: certificates.join('') };
}

/** Calls `read`, and reports a failure as damage of this file. The cause may quote a key, so it is not passed on. */
function readingOf<Value>(path: string, read: () => Value): Value {
  try {
    return read();
  } catch {
    throw damaged(path);
  }
}

function damaged(path: string): VaultError {
  return new VaultError(`${path} is damaged: it can't be read as a key. Restore it from a backup.`);
}

/** Makes a folder that only its owner can enter, and removes the leftovers of a crash from it. */
export async function prepareFolder(path: string): Promise<void> {
  await makePrivateFolder(path);
  for (const name of await readdir(path))
    if (LEFTOVER.test(name)) await rm(join(path, name), { force: true });
}

/** Finds what others than the owner can read or write: the folder itself, and all that is in these `parts` of it. */
export async function findExposed(folder: string, parts: readonly string[]): Promise<string[]> {
  if (process.platform === 'win32') return []; // no such permissions there
  const exposed: string[] = [];
  const inspect = async (path: string, isWhole: boolean): Promise<void> => {
    const found = await statIfThere(path);
    if (found === undefined) return; // it is not made yet, or gone in the meantime
    if ((found.mode & OTHERS) !== 0) exposed.push(path);
    if (isWhole && found.isDirectory())
      for (const name of await readdir(path)) await inspect(join(path, name), true);
  };
  await inspect(folder, false);
  for (const part of parts) await inspect(join(folder, part), true);
  return exposed;
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
