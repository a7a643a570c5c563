/** What the rest of the server wants of its broker, embedded or external (P 8.3, 10.8). */
import type { Identity } from '@srup/protocol';
import type { Credential } from '../authority/authority.ts';
import type { BrokerView } from '../api/forms/broker.ts';
import type { BrokerStats } from './broker.ts';

/** The revocation list of the key service, as a broker gets it (P 8.3). */
export interface RevocationList {
  /** PEM. */
  readonly crl: string;
  /**
   * A certificate that is on this list and was on none before it. A broker that accepts it has not read the list.
   * Only the server has its key.
   */
  readonly canary: Credential;
}

export interface BrokerControl {
  /** Where devices connect, e.g. `mqtts://fleet.example:8883`. */
  readonly url: string;
  /** Where the server itself connects. */
  readonly serverUrl: string;
  /** Makes the broker refuse whoever is on this list; it replaces the list before it. */
  follow(list: RevocationList): void;
  /** Gives the broker the renewed TLS certificate of the server. */
  renew(credential: Credential): void;
  /**
   * Ends the session of an identity, with all that waits for it. Rejects while the broker still lets the identity in,
   * or could not be reached: call it again.
   */
  end(id: Identity): Promise<void>;
  view(): BrokerView;
  /** Undefined for a broker that does not count for us. */
  stats(): BrokerStats | undefined;
  close(): Promise<void>;
}
