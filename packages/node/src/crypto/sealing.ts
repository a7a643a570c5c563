import type { OpenKey, SealKey } from '@srup/protocol';
import type { KeySet, PublicPems } from './key-set.ts';
import type { KeyPair } from './suites.ts';

/** A way to seal (P 4.3, 4.4). `keys.ts` has the table of all. */
export interface Sealing {
  /** Makes the second pair that it needs; undefined where the signing pair seals too. */
  generate(): Promise<KeyPair | undefined>;
  importSealKey(publicPems: PublicPems): SealKey;
  importOpenKey(keys: KeySet): OpenKey;
}
