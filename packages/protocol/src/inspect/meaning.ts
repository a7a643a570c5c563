/** What the bytes of one field mean, for people. Every text that comes from a message is escaped (see `show.ts`). */
import { guessDataValue } from '../exchange/data/value.ts';
import { identityText, isIdentity } from '../identity.ts';
import { SUITES } from '../trust/suite.ts';
import { tokenTime } from '../token.ts';
import { Cursor } from '../wire/cursor.ts';
import { readText } from '../wire/text.ts';
import type { Field, Hop, MessageLayout } from '../message/layouts.ts';
import { showBytes, showCount, showText } from './show.ts';
import { STATUS_MEANING, statusName } from '../message/status.ts';

const ENDS: Readonly<Record<string, string>> = {
  S: 'server',
  D: 'device',
  O: 'observer',
  B: 'bridge',
  H: 'home server',
  A: 'away server',
};

/** `S>D` as "server to device". */
export function hopMeaning(hop: Hop): string {
  const [from = '', to = ''] = hop.split('>');
  return `${ENDS[from]} to ${ENDS[to]}`;
}

export function typeMeaning({ type, route, clause }: MessageLayout): string {
  const hops = route.length === 0 ? 'never sent' : route.map(hopMeaning).join(', ');
  return `${type}: ${hops} (${clause})`;
}

export function identityMeaning(id: bigint): string {
  return isIdentity(id) ? identityText(id) : '0: no identity';
}

export function tokenMeaning(token: Uint8Array): string {
  const made = tokenTime(token);
  const shown = showBytes(token);
  return made === undefined ? shown : `${shown}, made ${new Date(made).toISOString()}`;
}

/** Without a key only the length says something. */
export function signatureMeaning({ length }: Uint8Array): string {
  const fitting = Object.values(SUITES)
    .filter(({ signatureBytes: { least, most } }) => length >= least && length <= most)
    .map(({ name }) => name);
  if (fitting.length === 0) return `${showCount(length)}: no suite has such a signature`;
  return `${showCount(length)}, as in ${fitting.join(' or ')}`;
}

/** The value of one body field. */
export function fieldMeaning({ kind, name }: Field, value: Uint8Array): string {
  switch (kind) {
    case 'u8':
      return name === 'status' ? statusMeaning(value[0] as number) : `${value[0]}`;
    case 'u32':
      return `${new Cursor(value).u32le()}`;
    case 'id':
      return identityMeaning(new Cursor(value).u64le());
    case 'text':
    case 'cstring':
      return textMeaning(value);
    case 'bytes':
      return dataMeaning(value);
    case 'sealed':
      return value.length === 0
        ? 'nothing sealed'
        : `${showCount(value.length)} that only the recipient can open`;
    case 'zeros':
      return 'reserved: always zero';
  }
}

/** pySRUP counts one NUL as part of a text (P 2.5). */
function textMeaning(value: Uint8Array): string {
  const ends = value.at(-1) === 0;
  const text = readText(ends ? value.subarray(0, -1) : value);
  if (text === undefined) return 'not UTF-8';
  return ends ? `${showText(text)} and one NUL` : showText(text);
}

/** Reads DATA as if nothing declared its kind, because the bytes alone say no more (P 10.6). */
function dataMeaning(bytes: Uint8Array): string {
  if (bytes.length === 0) return showBytes(bytes);
  const guess = guessDataValue(bytes);
  switch (guess.kind) {
    case 'text':
      return showText(guess.value);
    case 'raw':
      return showBytes(bytes);
    default:
      return `${showBytes(bytes)}, as ${guess.kind} ${guess.value}`;
  }
}

function statusMeaning(code: number): string {
  const name = statusName(code);
  const hex = `0x${code.toString(16).padStart(2, '0')}`;
  return name === undefined ? `${hex}: no known status` : `${hex} ${name}: ${STATUS_MEANING[name]}`;
}
