/** How the parts of the server speak with each other. Each part is made at the composition root (server.ts). */
import type {
  Caller,
  FaultCode,
  Identity,
  JoinVerdict,
  ServerCommand,
  ServerExchange,
  Standing,
  SuiteName,
  TokenKey,
} from '@srup/protocol';

// ---------------------------------------------------------------- key service -> C2 core

/** P 8.5. */
export type EnrolmentState = 'registered' | 'validated' | 'certified' | 'revoked';

/** The public facts of an identity, as the key service vouches for them. No secret in it. */
export interface Enrolment {
  readonly id: Identity;
  readonly type: string;
  readonly suite: SuiteName;
  readonly publicPem: string;
  /** X25519, for suites that seal with HPKE (P 4.4). */
  readonly sealPem?: string;
  readonly state: EnrolmentState;
}

/** The key service as the C2 core sees it; in its own process it would be asked over HTTPS. */
export interface IdentityDirectory {
  find(id: Identity): Promise<Enrolment | undefined>;
  /** Ends the identity for good: certificate on the CRL, state `revoked` (P 8.3, 10.8). */
  revoke(id: Identity): Promise<void>;
}

// ---------------------------------------------------------------- C2 core -> HTTP, SDK

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Give it back as `cursor` for the next page; absent on the last. */
  readonly next?: string;
}

export interface PageQuery {
  readonly cursor?: string | undefined;
  /** 1 to 500 rows, 100 unless told. */
  readonly limit?: number | undefined;
}

/** A device as it is known from its own signed messages; times in ms since 1970. */
export interface DeviceView {
  /** Hex text (P 2.7). */
  readonly id: string;
  readonly name?: string;
  readonly type: string;
  readonly suite: SuiteName;
  readonly standing: Standing;
  /** IDENTIFICATION_RESPONSE (P 10.7). */
  readonly identification?: string;
  readonly confirms: boolean;
  /** Digest proven to run, by a RESPONSE 10 of this device. */
  readonly running?: { readonly digest: string; readonly provenAt: number; readonly token: TokenKey };
  readonly staged?: { readonly digest: string; readonly provenAt: number; readonly token: TokenKey };
  /** When the last message was proven to come from it. */
  readonly lastProvenAt?: number;
  readonly firstSeenAt: number;
}

/** Software that a device proved to run, by its receipt or its identification. */
export interface RanView {
  readonly digest: string;
  readonly provenAt: number;
  readonly token: TokenKey;
  /** False: it failed later, or a rollback left it behind. */
  readonly isWayBack: boolean;
}

export interface ExchangeView {
  readonly device: string;
  readonly exchange: ServerExchange;
  readonly updatedAt: number;
  /** What the phase means, in words, with the reason of a failure. */
  readonly explanation: string;
  /** The phase is over. */
  readonly isFinal: boolean;
}

/** A message that was sent or accepted, with its bytes: evidence. */
export interface MessageView {
  readonly id: number;
  readonly at: number;
  readonly device: string;
  readonly direction: 'in' | 'out';
  readonly type: string;
  readonly sequence: string;
  readonly token: TokenKey;
  readonly hex: string;
}

export interface RefusalView {
  readonly at: number;
  readonly code: FaultCode;
  /** Sender that the message named, when it could be read: not proven. */
  readonly claimedSender?: string;
  readonly topic: string;
  readonly type?: string;
}

export interface DataView {
  readonly at: number;
  readonly device: string;
  readonly dataId: string;
  readonly hex: string;
  /** The value after the rules of P 10.6. */
  readonly value: string | number;
  readonly kind: 'text' | 'int32' | 'double' | 'raw';
}

export interface DeviceQuery extends PageQuery {
  /** Part of id, name, type or running digest. */
  readonly search?: string | undefined;
  readonly type?: string | undefined;
  readonly standing?: Standing | undefined;
}

export interface ExchangeQuery extends PageQuery {
  readonly device?: string | undefined;
  readonly kind?: ServerExchange['kind'] | undefined;
  readonly open?: boolean | undefined;
}

export type CommandReceipt =
  | {
      readonly device: string;
      readonly ok: true;
      readonly token: TokenKey;
      /** Of a rollback: where to, and whether the server could still give it to a device that no longer holds it. */
      readonly rollback?: { readonly digest: string; readonly isStored: boolean };
    }
  | { readonly device: string; readonly ok: false; readonly reason: string };

/** Something that happened, in order; also what the live stream carries. */
export type FleetEvent = { readonly seq: number; readonly at: number } & (
  | { readonly kind: 'device'; readonly device: DeviceView }
  | { readonly kind: 'exchange'; readonly change: ExchangeView }
  | { readonly kind: 'data'; readonly data: DataView }
  | { readonly kind: 'refusal'; readonly refusal: RefusalView }
);

export interface Revocation {
  readonly id: string;
  readonly ended: boolean;
  /** Why it has not ended yet. */
  readonly problem?: string;
}

/** A request that the fleet can't meet, in words for the person who asked. */
export class FleetError extends Error {
  override readonly name = 'FleetError';
  readonly kind: 'not-found' | 'conflict' | 'invalid';
  constructor(kind: FleetError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

/**
 * The C2 core. Rejects with FleetError when the request makes no sense. `by`: who gives the order, for the audit
 * trail and the evidence of joins (P 9.8); by default the program that runs the server.
 */
export interface Fleet {
  readonly serverId: Identity;
  devices(query: DeviceQuery): Promise<Page<DeviceView>>;
  device(id: string): Promise<DeviceView | undefined>;
  /** What the device proved to run, newest first, each digest once. */
  software(id: string): Promise<readonly RanView[]>;
  rename(id: string, name: string, by?: Caller): Promise<DeviceView>;
  exchanges(query: ExchangeQuery): Promise<Page<ExchangeView>>;
  exchange(device: string, token: TokenKey): Promise<ExchangeView | undefined>;
  messages(
    query: PageQuery & { readonly device?: string | undefined; readonly token?: TokenKey | undefined },
  ): Promise<Page<MessageView>>;
  data(
    query: PageQuery & { readonly device: string; readonly dataId?: string | undefined },
  ): Promise<Page<DataView>>;
  refusals(query: PageQuery): Promise<Page<RefusalView>>;
  refusalCounts(): Promise<Readonly<Partial<Record<FaultCode, number>>>>;
  /** One signed message a device, each with its own token (P 10.9). Committed before this resolves. */
  command(
    devices: readonly string[],
    command: ServerCommand,
    by?: Caller,
  ): Promise<readonly CommandReceipt[]>;
  activate(device: string, token: TokenKey, by?: Caller): Promise<ExchangeView>;
  cancel(device: string, token: TokenKey, by?: Caller): Promise<ExchangeView>;
  decideJoin(
    device: string,
    token: TokenKey,
    verdict: Exclude<JoinVerdict, 'ask'>,
    by?: Caller,
  ): Promise<ExchangeView>;
  /** By device type; `*` is for types without a rule of their own. First start: `*` is `ask`. */
  joinPolicy(): Promise<Readonly<Record<string, JoinVerdict>>>;
  setJoinPolicy(type: string, verdict: JoinVerdict | undefined, by?: Caller): Promise<void>;
  /**
   * Ends an identity now, without asking or waiting for the device: lost or stolen (P 10.8). `ended` false: it is
   * committed, and nothing of the device is believed any more; but its certificate, or its session at the broker,
   * could not be ended yet, which is tried again until it is done.
   */
  revoke(id: string, by?: Caller): Promise<Revocation>;
  /** Listens from now on, or from after event `since` where it is still held. Returns how to stop. */
  watch(listener: (event: FleetEvent) => void, since?: number): () => void;
}

// ---------------------------------------------------------------- audit trail -> HTTP, CLI

export interface AuditEntryView {
  readonly seq: number;
  /** Ms since 1970, by the server's clock. */
  readonly at: number;
  readonly kind: string;
  readonly device?: string;
  readonly evidence?: string;
  readonly body: Record<string, unknown>;
  readonly hash: string;
}

export interface AuditQuery extends PageQuery {
  readonly device?: string | undefined;
  readonly kind?: string | undefined;
  /** Part of the body or of the device's id. */
  readonly text?: string | undefined;
  /** Ms since 1970; `until` is excluded. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

export interface WitnessView {
  /** File, or URL without its query. */
  readonly place: string;
  /** Last entry that a checkpoint there covers. */
  readonly seq: number;
  /** When it took that, ms since 1970; absent when it never took one. */
  readonly takenAt?: number;
  /** Tries since the start in which it took nothing. */
  readonly failures: number;
  /** Why the last try failed; absent when it didn't. */
  readonly trouble?: string;
}

export interface AuditStatus {
  readonly server: string;
  /** SHA-256 of the key that signs checkpoints, in SPKI form: what `srup verify --server-key` takes. */
  readonly keyFingerprint: string;
  readonly entries: number;
  readonly checkpoint?: { readonly seq: number; readonly at: number };
  readonly witnesses: WitnessView[];
  /** What was found wrong with the trail, at this start or since: it is looked at again each hour. */
  readonly alarms: string[];
}

// ---------------------------------------------------------------- broker -> HTTP

/**
 * Does the broker refuse everybody who was revoked? `current`: tried out, it does; `behind`: tried out, it does not;
 * `unproven`: not tried yet, or it can't be tried. `since`: ms since 1970.
 */
export interface RevocationView {
  readonly state: 'current' | 'behind' | 'unproven';
  readonly since: number;
  /** What is wrong, in words. */
  readonly problem?: string;
}

export interface BrokerView {
  readonly kind: 'embedded' | 'external';
  /** Where devices connect. */
  readonly url: string;
  readonly revocation: RevocationView;
  /** Can the server end the session of a revoked device there, with what waits for it? */
  readonly endsSessions: boolean;
}

// ---------------------------------------------------------------- artifacts -> C2 core, HTTP

export interface ArtifactView {
  /** SHA-256, 64 lower-case hex digits: also its name in the store and in the URL. */
  readonly digest: string;
  readonly bytes: number;
  readonly name: string;
  readonly version?: string;
  readonly uploadedAt: number;
}

export type { Identity, JoinVerdict, ServerCommand, Standing, SuiteName, TokenKey };
