/** The identity and the SRUP keys in the server's folder. */
import { join } from 'node:path';
import { generateKeys, newIdentity, type KeySet, type PublicPems } from '@srup/node';
import {
  identityText,
  parseIdentity,
  SUITES,
  type Identity,
  type Random,
  type SuiteName,
} from '@srup/protocol';
import { formatKeySet, parseKeySet, readOrMake, VaultError } from './files.ts';

/** One key set for each suite (P 4.1). */
export type SuiteKeys = Readonly<Record<SuiteName, KeySet>>;

export async function readIdentity(path: string, mayMake: boolean, random: Random): Promise<Identity> {
  const text = await readOrMake(path, mayMake, async () => `${identityText(newIdentity(random))}\n`);
  const id = parseIdentity(text.trim());
  if (id === undefined) {
    throw new VaultError(`${path} is damaged: it does not hold an identity. Restore it from a backup.`);
  }
  return id;
}

export async function readKeys(folder: string, mayMake: boolean): Promise<SuiteKeys> {
  const suites = Object.keys(SUITES) as SuiteName[];
  const sets = await Promise.all(
    suites.map(async (suite) => {
      const path = join(folder, `${suite}.pem`);
      const text = await readOrMake(path, mayMake, async () => formatKeySet(await generateKeys(suite)));
      return [suite, parseKeySet(suite, text, path)] as const;
    }),
  );
  return Object.fromEntries(sets) as Record<SuiteName, KeySet>;
}

export function publicPartsOf(keys: SuiteKeys): Record<SuiteName, PublicPems> {
  const parts = Object.values(keys).map(({ suite, signing, sealing }) => {
    const pems: PublicPems = {
      signing: signing.publicPem,
      ...(sealing && { sealing: sealing.publicPem }),
    };
    return [suite, pems] as const;
  });
  return Object.fromEntries(parts) as Record<SuiteName, PublicPems>;
}
