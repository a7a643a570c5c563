import type { Identity, SuiteName } from '@srup/protocol';

/** How far the key service is with an identity (P 8.5). */
export type EnrolmentState = 'registered' | 'validated' | 'certified' | 'revoked';

/** The public facts about an identity that the key service vouches for. It holds no secret. */
export interface Enrolment {
  readonly id: Identity;
  readonly type: string;
  readonly suite: SuiteName;
  readonly publicPem: string;
  /** X25519, for suites that seal with HPKE (P 4.4). */
  readonly sealPem?: string;
  readonly state: EnrolmentState;
}

/** The key service as the rest of the server sees it. A key service in a process of its own would answer over HTTPS. */
export interface IdentityDirectory {
  /** Finds an identity. Undefined: nobody registered it. */
  find(id: Identity): Promise<Enrolment | undefined>;
  /** Ends the identity for good: certificate on the CRL, state `revoked` (P 8.3, 10.8). */
  revoke(id: Identity): Promise<void>;
}
