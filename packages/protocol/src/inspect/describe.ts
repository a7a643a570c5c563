/** Describes a message byte by byte, for an inspector. It judges nothing: the verdict is that of `decode`. */
import { FAULT_MEANING } from './fault-meaning.ts';
import type { WireCode } from '../faults.ts';
import { Cursor } from '../wire/cursor.ts';
import { WireFault } from '../wire/fault.ts';
import { decode2016, EDITION_2016, LAYOUTS_2016 } from './edition2016.ts';
import { decode, type DecodeLimits } from '../message/envelope.ts';
import { layoutOfCode, type Field } from '../message/layouts.ts';
import { fieldMeaning, identityMeaning, signatureMeaning, tokenMeaning, typeMeaning } from './meaning.ts';
import { EDITION } from '../message/message.ts';
import { showCount } from './show.ts';

/** What a segment belongs to, for a reader who wants colours. */
export type Part = 'header' | 'token' | 'signature' | 'body' | 'sealed' | 'unread';

/** Bytes that belong together. Offset and length are in bytes. */
export interface Segment {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly part: Part;
  /** For people. It is safe to print on a terminal. */
  readonly meaning: string;
}

export interface Description {
  /** Absent if the version byte names neither edition. */
  readonly edition?: 5 | 2016;
  readonly type?: string;
  /** In order and without gaps: together they are the whole message. The last one is `unread` after a fault. */
  readonly segments: readonly Segment[];
  readonly fault?: { readonly code: WireCode; readonly offset: number; readonly meaning: string };
}

/** A description in the making. */
interface Sketch {
  edition?: 5 | 2016;
  type?: string;
  readonly segments: Segment[];
}

/**
 * Describes any bytes (P 3.2).
 *
 * @example
 * for (const { offset, name, meaning } of describe(bytes).segments) console.log(offset, name, meaning);
 */
export function describe(bytes: Uint8Array, limits: DecodeLimits = {}): Description {
  const is2016 = bytes[0] === EDITION_2016;
  const verdict = is2016 ? decode2016(bytes, limits.messageBytes) : decode(bytes, limits);
  const sketch = sketchOf(bytes);
  if (verdict.ok) return sketch;
  const { code, offset = 0 } = verdict;
  const segments = cut(sketch.segments, offset, bytes.length, FAULT_MEANING[code]);
  return { ...sketch, segments, fault: { code, offset, meaning: FAULT_MEANING[code] } };
}

/** Cuts the segments at a fault. What follows it is one segment, because nobody can say what it means. */
function cut(segments: readonly Segment[], fault: number, end: number, meaning: string): Segment[] {
  const kept = segments.filter(({ offset, length }) => offset + length <= fault);
  const last = kept.at(-1);
  const from = last === undefined ? 0 : last.offset + last.length;
  if (from === end) return kept;
  return [...kept, { name: 'unread', offset: from, length: end - from, part: 'unread', meaning }];
}

/** Goes as far as the lengths in the message lead. */
function sketchOf(bytes: Uint8Array): Sketch {
  const sketch: Sketch = { segments: [] };
  try {
    draw(new Pen(bytes, sketch.segments), sketch);
  } catch (fault) {
    if (!(fault instanceof WireFault)) throw fault;
  }
  return sketch;
}

function draw(pen: Pen, sketch: Sketch): void {
  const [version] = pen.fixed('version', 1, 'header', ([byte]) => editionMeaning(byte as number));
  if (version === EDITION) {
    sketch.edition = 5;
    draw5(pen, sketch);
  } else if (version === EDITION_2016) {
    sketch.edition = 2016;
    draw2016(pen, sketch);
  }
}

function draw5(pen: Pen, sketch: Sketch): void {
  const layout = layoutOfCode(pen.peek());
  if (layout === undefined) return;
  sketch.type = layout.type;
  pen.fixed('type', 1, 'header', () => typeMeaning(layout));
  pen.fixed('sequence', 8, 'header', (value) => new Cursor(value).u64le().toString());
  pen.fixed('sender', 8, 'header', (value) => identityMeaning(new Cursor(value).u64le()));
  pen.var('token', 'token', tokenMeaning);
  if (layout.type !== 'GENERIC') pen.var('signature', 'signature', signatureMeaning);
  drawFields(pen, layout.fields);
}

function draw2016(pen: Pen, sketch: Sketch): void {
  const code = pen.peek();
  const layout = LAYOUTS_2016.find((row) => row.code === code);
  if (layout === undefined) return;
  sketch.type = layout.type;
  pen.fixed('type', 1, 'header', () => `${layout.type}, ${layout.clause}`);
  pen.var('signature', 'signature', ({ length }) => showCount(length));
  drawFields(pen, layout.fields);
}

const WIDTHS: Readonly<Partial<Record<Field['kind'], number>>> = { u8: 1, u32: 4, id: 8, zeros: 2 };

function drawFields(pen: Pen, fields: readonly Field[]): void {
  for (const field of fields) {
    const width = WIDTHS[field.kind];
    const part = field.kind === 'sealed' ? 'sealed' : 'body';
    const meaning = (value: Uint8Array): string => fieldMeaning(field, value);
    if (width === undefined) pen.var(field.name, part, meaning);
    else pen.fixed(field.name, width, part, meaning);
  }
}

function editionMeaning(version: number): string {
  if (version === EDITION) return 'edition 5';
  return version === EDITION_2016 ? 'edition 2016' : `edition ${version}, not supported`;
}

/** Reads forward and notes a segment for everything that it reads. WireFault at the end of the bytes. */
class Pen {
  private readonly cursor: Cursor;
  private readonly segments: Segment[];

  constructor(bytes: Uint8Array, segments: Segment[]) {
    this.cursor = new Cursor(bytes);
    this.segments = segments;
  }

  /** The next byte, without moving. */
  peek(): number {
    return new Cursor(this.cursor.bytes, this.cursor.offset).u8();
  }

  fixed(name: string, width: number, part: Part, meaning: (value: Uint8Array) => string): Uint8Array {
    const { offset } = this.cursor;
    const value = this.cursor.take(width);
    this.segments.push({ name, offset, length: width, part, meaning: meaning(value) });
    return value;
  }

  var(name: string, part: Part, meaning: (value: Uint8Array) => string): void {
    const count = this.fixed(`${name} length`, 2, part, (value) => showCount(new Cursor(value).u16be()));
    this.fixed(name, new Cursor(count).u16be(), part, meaning);
  }
}
