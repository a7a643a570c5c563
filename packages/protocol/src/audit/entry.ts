/** The form of the audit trail: what is hashed, and how entries hang together. docs/audit.md describes it in full. */
import type { FaultCode } from '../faults.ts';
import type { SuiteName } from '../trust/suite.ts';
import type { TokenKey } from '../token.ts';
import type { Caller } from './caller.ts';

/** SHA-256 as 64 lower-case hex digits. Of a text it hashes the UTF-8 bytes. */
export type HexSha256 = (data: string | Uint8Array) => string;

/** The link before the first entry. */
export const NO_LINK = '0'.repeat(64);

/** The most messages of one `messages` entry, and the most bytes of them. A single message can be longer. */
export const BUNDLE_MESSAGES = 1_000;
export const BUNDLE_BYTES = 1 << 20;

/**
 * What each kind of entry says. Numbers are whole. `by`: who gave the order, as the server knows it; a text in entries
 * of earlier releases. `orderId`: the order that this entry belongs to, where one order concerns many devices.
 */
export interface AuditBodies {
  /** The first entry: whose history this is. `keys`: PEM by suite. `ca`: SHA-256 of the CA's certificate. */
  readonly begin: {
    readonly server: string;
    readonly version: string;
    readonly keys: Readonly<Record<SuiteName, string>>;
    readonly ca: string;
    /** Messages with this id or a lower one were stored before there was a trail. */
    readonly messagesBefore: number;
  };
  readonly start: { readonly version: string };
  readonly stop: { readonly version: string };
  /** The key service vouched for this key, and the device proved that it holds it. */
  readonly device: {
    readonly type: string;
    readonly suite: SuiteName;
    readonly key: string;
    readonly sealKey?: string;
  };
  /** One message; its bytes are the evidence. */
  readonly message: {
    readonly id: number;
    readonly direction: 'in' | 'out';
    readonly type: string;
    readonly sequence: string;
    readonly token: TokenKey;
  };
  /**
   * All messages of a device with ids from `from` to `to`: telemetry, and messages that come too fast for an entry
   * each.
   */
  readonly messages: { readonly from: number; readonly to: number; readonly count: number };
  /**
   * The bytes of messages of this device with ids up to `through` can have been removed to make room, and those of its
   * telemetry (DATA) with ids up to `data`.
   */
  readonly trim: { readonly through: number; readonly data?: number };
  /** How many messages were refused since the server was set up, by code. */
  readonly refusals: { readonly totals: Readonly<Partial<Record<FaultCode, number>>> };
  /** An operator's order about one device: a command, or what to do with an exchange. */
  readonly order: Readonly<Record<string, string | number | boolean | Caller>> & {
    readonly order: string;
    readonly token: TokenKey;
    readonly by: Caller | string;
    readonly orderId?: string;
  };
  /** Who or what decided a join (P 9.8). */
  readonly decision: {
    readonly token: TokenKey;
    readonly verdict: string;
    readonly by: Caller | string;
    readonly orderId?: string;
  };
  /** An operator ended this identity at once, without asking the device (P 10.8). */
  readonly revocation: { readonly by: Caller | string; readonly orderId?: string };
  readonly name: { readonly name: string; readonly by: Caller | string };
  /** `verdict` null: the rule of this type was removed. */
  readonly policy: { readonly type: string; readonly verdict: string | null; readonly by: Caller | string };
  readonly token: {
    readonly change: 'created' | 'set-up' | 'removed';
    readonly id: string;
    readonly name: string;
    readonly role: string;
    readonly by: Caller | string;
  };
  readonly artifact: {
    readonly change: 'added' | 'removed';
    readonly digest: string;
    readonly name?: string;
    readonly version?: string;
    readonly by: Caller | string;
  };
  /** What the key service says about an identity. `serials`: of certificates that it issued. */
  readonly identity: {
    readonly change: 'certified' | 'renewed' | 'revoked';
    readonly count: number;
    readonly serials?: readonly string[];
  };
  readonly code: {
    readonly change: 'created' | 'removed';
    readonly id: string;
    readonly type?: string;
    readonly uses?: number;
    readonly by: Caller | string;
  };
  readonly registration: { readonly open: boolean; readonly by: Caller | string };
  /** The entries from here on follow a backup, not what happened after it was made. */
  readonly restore: Readonly<Record<string, string | number | boolean>>;
  /** The server found that its trail is not what it signed. */
  readonly alarm: { readonly what: string };
}

export type AuditKind = keyof AuditBodies;

const KINDS: Readonly<Record<AuditKind, true>> = {
  begin: true,
  start: true,
  stop: true,
  device: true,
  message: true,
  messages: true,
  trim: true,
  refusals: true,
  order: true,
  decision: true,
  revocation: true,
  name: true,
  policy: true,
  token: true,
  artifact: true,
  identity: true,
  code: true,
  registration: true,
  restore: true,
  alarm: true,
};
export const AUDIT_KINDS = Object.keys(KINDS) as readonly AuditKind[];

/** An entry that has no place in the trail yet. */
export type NewAuditEntry = {
  readonly [Kind in AuditKind]: {
    readonly at: number;
    readonly kind: Kind;
    /** Identity as text (P 2.7), for what concerns one device. */
    readonly device?: string;
    readonly body: AuditBodies[Kind];
    /** `evidenceOf` of the messages that the entry stands for. */
    readonly evidence?: string;
  };
}[AuditKind];

/** What the content hash covers. A text that is absent is empty here. */
export interface AuditContent {
  readonly seq: number;
  /** Ms since 1970, by the server's clock. */
  readonly at: number;
  readonly kind: string;
  readonly device: string;
  readonly evidence: string;
  /** JSON of one of `AuditBodies`. It is hashed as it was written, and never written again. */
  readonly body: string;
}

/**
 * The hash of everything that an entry says. Whoever has only this hash can check the chain, and learns nothing of the
 * content.
 */
export function contentHash(content: AuditContent, sha256: HexSha256): string {
  const { seq, at, kind, device, evidence, body } = content;
  // No part but the last can hold a line break, so two contents never give one text.
  return sha256(`SRUP audit content 1\n${seq}\n${at}\n${kind}\n${device}\n${evidence}\n${body}`);
}

/**
 * The hash that the next entry continues. It covers the content of this entry and, through `previous`, all entries
 * before.
 *
 * @example
 * hash = linkHash(hash, contentHash(content, sha256), sha256);
 */
export function linkHash(previous: string, content: string, sha256: HexSha256): string {
  return sha256(`SRUP audit link 1\n${previous}\n${content}`);
}

/** The evidence of an entry: the hash of its message; of several messages the hash of their hashes, one per line. */
export function evidenceOf(hashes: readonly string[], sha256: HexSha256): string {
  const [first] = hashes;
  return first !== undefined && hashes.length === 1 ? first : sha256(hashes.join('\n'));
}
