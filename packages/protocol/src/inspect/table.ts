/** Writes the tables of the documents as Markdown, from the rows that the codec itself reads (P 3.2). */
import { FAULT_MEANING } from './fault-meaning.ts';
import { AUTH_CODES, EFFECT_CODES, FLOW_CODES, REPLAY_CODES, stageOf, WIRE_CODES } from '../faults.ts';
import { LAYOUTS_2016 } from './edition2016.ts';
import { LAYOUTS, type Field, type FieldKind } from '../message/layouts.ts';
import { STATUS, STATUS_MEANING, type StatusName } from '../message/status.ts';

/** How a document names a kind. `var` is a 2-byte length and the bytes (P 2.2). */
const KINDS: Readonly<Record<FieldKind, string>> = {
  u8: 'u8',
  u32: 'u32',
  id: 'u64 id',
  text: 'var text',
  cstring: 'var text, NUL allowed',
  bytes: 'var bytes',
  sealed: 'var sealed',
  zeros: 'two 0x00',
};

export function renderMessageTable(): string {
  const rows = LAYOUTS.map(({ code, type, route, fields, clause }) => [
    hexByte(code),
    `\`${type}\``,
    route.length === 0 ? 'never sent' : route.join(', '),
    renderFields(fields),
    clause,
  ]);
  return renderTable(['Code', 'Type', 'Direction', 'Body', 'Clause'], rows);
}

export function renderMessageTable2016(): string {
  const rows = LAYOUTS_2016.map(({ code, type, fields, clause }) => [
    hexByte(code),
    `\`${type}\``,
    renderFields(fields),
    clause,
  ]);
  return renderTable(['Code', 'Type', 'Fields after the signature', 'Clause'], rows);
}

export function renderStatusTable(): string {
  const names = Object.keys(STATUS) as StatusName[];
  const rows = names.map((name) => [hexByte(STATUS[name]), `\`${name}\``, STATUS_MEANING[name]]);
  return renderTable(['Status', 'Name', 'Meaning'], rows);
}

export function renderFaultTable(): string {
  const codes = [...WIRE_CODES, ...AUTH_CODES, ...REPLAY_CODES, ...FLOW_CODES, ...EFFECT_CODES];
  const rows = codes.map((code) => [`\`${code}\``, stageOf(code), FAULT_MEANING[code]]);
  return renderTable(['Code', 'Stage', 'Meaning'], rows);
}

function hexByte(value: number): string {
  return `0x${value.toString(16).padStart(2, '0').toUpperCase()}`;
}

function renderFields(fields: readonly Field[]): string {
  return fields.map(({ name, kind }) => `\`${name}\` (${KINDS[kind]})`).join(', ');
}

function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map(() => '---');
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
