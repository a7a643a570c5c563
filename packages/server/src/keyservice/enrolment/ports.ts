import type { KeySet, PublicPems, Secret } from '@srup/node';
import type { Clock, Identity, SuiteName } from '@srup/protocol';
import type { Authority } from '../../authority/authority.ts';
import type { Store } from '../../store/port.ts';
import type { KeyServiceTables } from '../tables.ts';

export interface EnrolmentOptions {
  readonly serverId: Identity;
  /** The same as text. */
  readonly server: string;
  readonly serverKeys: Readonly<Record<SuiteName, PublicPems>>;
  readonly keys: Readonly<Record<SuiteName, KeySet>>;
  readonly requireCode: boolean;
  readonly c2Token?: Secret;
}

export interface EnrolmentPorts {
  readonly store: Store<KeyServiceTables>;
  readonly authority: Authority;
  readonly brokerUrl: string;
  readonly clock: Clock;
  /** Publishes the revocation list. */
  readonly publish: () => Promise<void>;
}
