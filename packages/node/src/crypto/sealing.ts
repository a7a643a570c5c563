import type { OpenKey, SealKey, Suite } from '@srup/protocol';
import { HPKE_X25519 } from './hpke.ts';
import type { KeySet, PublicPems } from './keys.ts';
import { RSA_AES_CBC } from './rsa-aes-cbc.ts';
import type { KeyPair } from './suites.ts';

/** A way to seal (P 4.3, 4.4). */
export interface Sealing {
  /** The second pair that it needs; undefined where the signing pair seals too. */
  generate(): Promise<KeyPair | undefined>;
  importSealKey(publicPems: PublicPems): SealKey;
  importOpenKey(keys: KeySet): OpenKey;
}

export const SEALINGS: Readonly<Record<Suite['sealing'], Sealing>> = {
  'rsa-aes-cbc': RSA_AES_CBC,
  'hpke-x25519': HPKE_X25519,
};
