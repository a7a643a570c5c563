import { isProgramDataId } from '@srup/protocol';
import type { DataType } from '../config/data.ts';
import { encodeValue, readNumber, type Value } from './values.ts';

/** What a program reports: a data id and its bytes (P 10.6). */
export interface Reading {
  readonly dataId: string;
  readonly data: Uint8Array;
}

const PAIR = /^([A-Za-z_][\w.-]{0,63})=(.*)$/s;
const ID = /^[A-Za-z_][\w.-]{0,63}$/;
/** Most readings in one line. */
const MAX_READINGS = 64;

/**
 * Finds the readings in a line: `id=value`, or a JSON object of values. Undefined when the line has another form, so it
 * is for people. Calls `onBad` for a reading that can't be sent: a reserved id, or a value that does not fit its type.
 */
export function readLine(
  line: string,
  types: Readonly<Record<string, DataType>>,
  onBad: (dataId: string) => void,
): Reading[] | undefined {
  const values = line.startsWith('{') ? readObject(line) : readPair(line);
  if (values === undefined) return undefined;
  return values.flatMap(([dataId, value]) => {
    const type = Object.hasOwn(types, dataId) ? types[dataId] : undefined;
    const data = isProgramDataId(dataId) ? encodeValue(type, value) : undefined;
    if (data === undefined) onBad(dataId);
    return data === undefined ? [] : [{ dataId, data }];
  });
}

type Pair = readonly [dataId: string, value: Value];

/** `21.5` is a number; everything else is text. */
function readPair(line: string): Pair[] | undefined {
  const [, dataId, value] = PAIR.exec(line) ?? [];
  if (dataId === undefined || value === undefined) return undefined;
  return [[dataId, readNumber(value) ?? value]];
}

function readObject(line: string): Pair[] | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  const entries = Object.entries(parsed as Record<string, unknown>);
  const isMeant = entries.length > 0 && entries.length <= MAX_READINGS && entries.every(isPair);
  return isMeant ? (entries as Pair[]) : undefined;
}

function isPair([dataId, value]: [string, unknown]): boolean {
  return (
    ID.test(dataId) && (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
  );
}
