import type { KeySet, PublicPems, Secret } from '@srup/node';
import type { Caller, Clock, Identity, Random, SuiteName } from '@srup/protocol';
import type { Authority, Credential } from '../authority/authority.ts';
import type { IdentityDirectory } from '../peers/directory.ts';
import type { Certificates } from './certificates.ts';
import type { EnrolmentCodes } from './codes.ts';
import type { KeyEvents } from './events.ts';
import type { Answer } from './faults.ts';
import type {
  AccessAnswer,
  AccessRequest,
  C2Answer,
  C2Request,
  RegisterAnswer,
  RegisterRequest,
  ValidateAnswer,
  ValidateRequest,
} from './requests.ts';
import type { KeyServiceTables } from './tables.ts';
import type { Store } from '../store/port.ts';

export interface KeyServiceOptions {
  /** For its database and CRL, made private before. */
  readonly folder: string;
  readonly serverId: Identity;
  /** Public keys of the C2 server: all that the service knows of it. */
  readonly serverKeys: Readonly<Record<SuiteName, PublicPems>>;
  /** The service's own. */
  readonly keys: Readonly<Record<SuiteName, KeySet>>;
  readonly authority: Authority;
  /** What devices are told, e.g. `mqtts://fleet.example:8883`. */
  readonly brokerUrl: () => string;
  readonly requireCode: boolean;
  /** Lets further C2 servers register (P 8); absent: none can. */
  readonly c2Token?: Secret;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * A new revocation list for the broker. `canary`: a certificate that was made to be on this list and on none before
   * it. Nobody has its key but who is told here.
   */
  readonly onCrl: (pem: string, canary: Credential) => void;
  /** Ends the identity's sessions, after it was revoked and the list made. May be called again for the same. */
  readonly onRevoked: (id: Identity) => Promise<void>;
}

export interface KeyService extends IdentityDirectory {
  status(): Promise<{ active: boolean; identity: string; broker: string }>;
  register(request: RegisterRequest): Promise<Answer<RegisterAnswer>>;
  validate(request: ValidateRequest): Promise<Answer<ValidateAnswer>>;
  access(request: AccessRequest): Promise<Answer<AccessAnswer>>;
  /** Base64 of the PEM of an identity's key. `suite`: of a server, which has one for each; rsa-sha256 unless told. */
  keyOf(identity: string, suite?: SuiteName): Promise<Answer<string>>;
  typeOf(identity: string): Promise<Answer<string>>;
  isC2(identity: string): Promise<boolean>;
  registerC2(request: C2Request): Promise<Answer<C2Answer>>;
  /** Takes registrations, or none for now; what is registered goes on. Kept across restarts. */
  setOpen(isOpen: boolean, by?: Caller): Promise<void>;
  /** What the audit trail has not been told yet. */
  readonly events: KeyEvents;
  readonly codes: EnrolmentCodes;
  /** Would the code let a device of this type register now? */
  acceptsCode(code: string, type: string): Promise<boolean>;
  /** May it connect: certified and not revoked. */
  isAllowed(id: Identity): Promise<boolean>;
  /** The revocation list in PEM; also in the folder, as `crl.pem`. */
  crl(): string;
  /** Of that list. */
  canary(): Credential;
  close(): Promise<void>;
}

/** What the parts of the service share. */
export interface Inside {
  readonly options: KeyServiceOptions;
  readonly store: Store<KeyServiceTables>;
  readonly certificates: Certificates;
  /** Identity of the C2 server, as text. */
  readonly server: string;
}
