/** The lines of an exported history: one JSON object each. docs/audit.md describes each field. */
import type { AuditContent } from './entry.ts';
import type { SignedCheckpoint } from './checkpoint.ts';

/** The format of exports. In format 2 a caller is a value; in format 1, of release 0.1.0, it is a text. */
export const EXPORT_FORMAT = 'srup-audit 2';
const READABLE_FORMATS = ['srup-audit 1', EXPORT_FORMAT] as const;

export interface HeaderLine {
  readonly format: (typeof READABLE_FORMATS)[number];
  readonly server: string;
  /** Ms since 1970. */
  readonly exportedAt: number;
  /** The export leaves out the content of entries that concern only other devices. */
  readonly device?: string;
  /** The export leaves out the content of older entries; ms since 1970. */
  readonly since?: number;
}

export interface EvidenceMessage {
  readonly id: number;
  readonly hex: string;
}

export interface EntryLine extends AuditContent {
  readonly hash: string;
  /** The messages that are still stored. */
  readonly messages: readonly EvidenceMessage[];
}

/** An entry whose content this export leaves out. */
export interface WithheldLine {
  readonly seq: number;
  readonly content: string;
  readonly hash: string;
}

/** The last line. Without it the file is incomplete. */
export interface EndLine {
  readonly end: number;
  readonly hash: string;
}

export type HistoryLine =
  | ({ readonly line: 'header' } & HeaderLine)
  | ({ readonly line: 'entry' } & EntryLine)
  | ({ readonly line: 'withheld' } & WithheldLine)
  | ({ readonly line: 'checkpoint' } & SignedCheckpoint)
  | ({ readonly line: 'end' } & EndLine);

type Fields = Readonly<Record<string, unknown>>;

/** Reads a line; undefined if it is not a line of this format, or a field has the wrong type. */
export function readHistoryLine(text: string): HistoryLine | undefined {
  const fields = objectIn(text);
  if (fields === undefined) return undefined;
  if ('format' in fields) return readHeader(fields);
  if ('checkpoint' in fields) return readSigned(fields);
  if ('end' in fields) return readEnd(fields);
  return 'content' in fields ? readWithheld(fields) : readEntry(fields);
}

function objectIn(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Fields)
      : undefined;
  } catch {
    return undefined;
  }
}

function readHeader({ format: named, server, exportedAt, device, since }: Fields): HistoryLine | undefined {
  const format = READABLE_FORMATS.find((one) => one === named);
  const isRight =
    format !== undefined &&
    isText(server) &&
    isCount(exportedAt) &&
    (device === undefined || isText(device)) &&
    (since === undefined || isCount(since));
  if (!isRight) return undefined;
  const optional = { ...(device !== undefined && { device }), ...(since !== undefined && { since }) };
  return { line: 'header', format, server, exportedAt, ...optional };
}

function readSigned({ checkpoint: text, signature }: Fields): HistoryLine | undefined {
  return isText(text) && isText(signature) ? { line: 'checkpoint', text, signature } : undefined;
}

function readEnd({ end, hash }: Fields): HistoryLine | undefined {
  return isCount(end) && isHash(hash) ? { line: 'end', end, hash } : undefined;
}

function readWithheld({ seq, content, hash }: Fields): HistoryLine | undefined {
  return isCount(seq) && isHash(content) && isHash(hash)
    ? { line: 'withheld', seq, content, hash }
    : undefined;
}

function readEntry(fields: Fields): HistoryLine | undefined {
  const { seq, at, kind, device = '', evidence = '', body, hash, messages = [] } = fields;
  const isRight =
    isCount(seq) &&
    isCount(at) &&
    isText(kind) &&
    /^[a-z-]{1,40}$/.test(kind) &&
    isText(device) &&
    /^[0-9a-f]{0,16}$/.test(device) &&
    (evidence === '' || isHash(evidence)) &&
    isText(body) &&
    isHash(hash) &&
    Array.isArray(messages) &&
    messages.every(isMessage);
  return isRight ? { line: 'entry', seq, at, kind, device, evidence, body, hash, messages } : undefined;
}

function isMessage(value: unknown): value is EvidenceMessage {
  if (typeof value !== 'object' || value === null) return false;
  const { id, hex } = value as Fields;
  return isCount(id) && isText(hex);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isHash(value: unknown): value is string {
  return isText(value) && /^[0-9a-f]{64}$/.test(value);
}
