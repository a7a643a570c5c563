/** The vault's files: private keys in PEM, each written as a whole, so that none is ever half there. */
import { createPublicKey } from 'node:crypto';
import type { Stats } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makePrivateFolder, writeFileAtomic, Secret, type KeyPairPem, type KeySet } from '@srup/node';
import { SUITES, type SuiteName } from '@srup/protocol';
import type { Credential } from '../authority/authority.ts';
import { parseKey } from '../authority/keys.ts';

/** Something in the vault's folder is not as it was left. The message says what to do. */
export class VaultError extends Error {
  override readonly name = 'VaultError';
}

const OTHERS = 0o077;
const PRIVATE_KEY = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]+?-----END \1-----/g;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n?/g;
/** What a crash in the middle of writing leaves: it may hold a key. */
const LEFTOVER = /^\..+\.tmp$/;

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

/** The file's content; made and written first when there is none. `mayMake`: whether that is right at all. */
export async function readOrMake(
  path: string,
  mayMake: boolean,
  make: () => Promise<string>,
): Promise<string> {
  const found = await readIfThere(path);
  if (found !== undefined) return found;
  if (!mayMake) {
    throw new VaultError(
      `${path} is missing: it holds a key or name that devices already know. Restore it from a backup of ${dirname(dirname(path))}. (Without one, start with a new folder; every device must then register anew.)`,
    );
  }
  const made = await make();
  await writeFileAtomic(path, made);
  return made;
}

/** A key set as one file: the private signing key, then the private sealing key where the suite has one. */
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

/** `read`, with a failure told as damage of this file; the cause may quote a key and is not passed on. */
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

/** Makes folders that only the owner enters, and takes leftovers of a crash away. */
export async function prepareFolder(path: string): Promise<void> {
  await makePrivateFolder(path);
  for (const name of await readdir(path))
    if (LEFTOVER.test(name)) await rm(join(path, name), { force: true });
}

/** Of the folder itself and all that is in those `parts` of it: what others than the owner may read or write. */
export async function findExposed(folder: string, parts: readonly string[]): Promise<string[]> {
  if (process.platform === 'win32') return []; // no such permissions there
  const exposed: string[] = [];
  const inspect = async (path: string, isWhole: boolean): Promise<void> => {
    const found = await statIfThere(path);
    if (found === undefined) return; // not made yet, or gone in the meantime
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
