/** Writes a message as annotated hex, for people. */
import {
  describe,
  FAULT_MEANING,
  showCount,
  showText,
  type Description,
  type Part,
  type Segment,
} from '@srup/protocol';
import type { Terminal } from '../screen/terminal.ts';
import { INSPECTOR_LIMITS, type DecodeAnswer } from './decode.ts';

/** Bytes in a row, if the terminal is wide enough for their meaning next to them. */
const WIDE_ROW = 16;
const NARROW_ROW = 8;
const WIDE_COLUMNS = 110;
/** The most bytes of one field that are shown: those of the longest RSA signature. JSON has all. */
const SHOWN_BYTES = 512;

type Style = Parameters<Terminal['paint']>[0];

const STYLES: Readonly<Record<Part, Style>> = {
  header: 'cyan',
  token: 'yellow',
  signature: 'gray',
  body: 'green',
  sealed: 'magenta',
  unread: 'red',
};

export function renderView(bytes: Uint8Array, answer: DecodeAnswer, terminal: Terminal): string {
  const description = describe(bytes, INSPECTOR_LIMITS);
  const rows = description.segments
    .filter(({ length, name }) => length > 0 || !name.endsWith('length'))
    .flatMap((segment) => renderSegment(segment, bytes, terminal));
  return [
    terminal.paint('bold', title(description, bytes)),
    '',
    ...rows,
    '',
    ...verdict(answer, terminal),
    '',
  ].join('\n');
}

function title({ edition, type }: Description, { length }: Uint8Array): string {
  const name = edition === undefined ? 'No edition of SRUP' : `SRUP edition ${edition}`;
  return `${name}, ${type ?? 'unknown type'}, ${showCount(length)}`;
}

function renderSegment(
  segment: Segment,
  bytes: Uint8Array,
  { isTerminal, columns, paint }: Terminal,
): string[] {
  const { name, offset, length, part, meaning } = segment;
  const width = isTerminal && columns < WIDE_COLUMNS ? NARROW_ROW : WIDE_ROW;
  const shown = Math.min(length, SHOWN_BYTES);
  const rows = Array.from({ length: Math.max(1, Math.ceil(shown / width)) }, (_, row) => {
    const from = offset + row * width;
    const hex = toSpacedHex(bytes.subarray(from, Math.min(from + width, offset + shown)));
    const cells = `${toOffset(from)}  ${paint(STYLES[part], hex.padEnd(width * 3 - 1))}`;
    return row === 0 ? `${cells}  ${paint(STYLES[part], name.padEnd(NAME_WIDTH))}  ${meaning}` : cells;
  });
  const hidden = length - shown;
  return hidden > 0 ? [...rows, `${toOffset(offset + shown)}  and ${showCount(hidden)} more`] : rows;
}

/** The longest usual name, `sealedIdValue length`. */
const NAME_WIDTH = 20;

function toSpacedHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

function toOffset(offset: number): string {
  return offset.toString(16).padStart(5, '0');
}

function verdict(answer: DecodeAnswer, { paint }: Terminal): string[] {
  const { ok, code, message, offset, signature, opened, openedHex, refusedOnTransport } = answer;
  const where = offset === undefined ? '' : ` (at byte ${offset})`;
  const isCheckable = answer.edition === 5 && answer.type !== 'GENERIC';
  const hint = signature === 'unchecked' && isCheckable ? "; give the sender's public key with --key" : '';
  return [
    ...(signature === undefined
      ? []
      : [`Signature: ${paint(SIGNATURE_STYLES[signature], signature)}${hint}`]),
    ...(opened === undefined ? [] : [`Opened: ${paint('magenta', showText(opened))}`]),
    ...(openedHex === undefined ? [] : [`Opened: ${paint('magenta', openedHex)} (hex)`]),
    ...(refusedOnTransport === undefined
      ? []
      : [
          paint(
            'yellow',
            `A receiver refuses it: ${refusedOnTransport}, ${FAULT_MEANING[refusedOnTransport]}.`,
          ),
        ]),
    ...(ok ? [] : [paint('red', `Refused: ${code ?? ''}${where}. ${message ?? ''}`)]),
  ];
}

const SIGNATURE_STYLES: Readonly<Record<NonNullable<DecodeAnswer['signature']>, Style>> = {
  valid: 'green',
  invalid: 'red',
  unchecked: 'yellow',
};
