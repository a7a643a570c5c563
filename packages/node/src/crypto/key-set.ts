import type { SuiteName } from '@srup/protocol';
import type { Secret } from '../secret.ts';

/** A key pair as text: public in SPKI, private in PKCS#8 PEM. A private PKCS#1 PEM is read too. */
export interface KeyPairPem {
  readonly privatePem: Secret;
  readonly publicPem: string;
}

/** What a party holds for one suite. RSA seals with its one pair, the others with an X25519 pair (P 4.4). */
export interface KeySet {
  readonly suite: SuiteName;
  readonly signing: KeyPairPem;
  readonly sealing?: KeyPairPem;
}

/** The public half, as it is registered (P 8.1). */
export interface PublicPems {
  readonly signing: string;
  readonly sealing?: string;
}
