import * as v from 'valibot';
import { command, path, text } from './forms.ts';

/** How the value of a data id is written (P 10.6). */
export const DATA_TYPES = [
  'text',
  'bytes',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float',
  'double',
] as const;
export type DataType = (typeof DATA_TYPES)[number];

export const data = v.strictObject({
  /** Data id to its type. Other ids are read by the rule of P 10.6. */
  types: v.exactOptional(v.record(text, v.picklist(DATA_TYPES)), {}),
  /** Ids that are not in `types` are refused with 3F. */
  strict: v.exactOptional(v.boolean(), false),
  /** Called with the id as `{id}` and the bytes on stdin. */
  command: v.exactOptional(command),
  /** Without `command`: the supervised program reads JSON lines from its stdin. */
  stdin: v.exactOptional(v.boolean(), false),
  /**
   * Unix socket by which programs of this device report readings and, without `command`, take data: one line each, as by
   * stdout and stdin. Its folder decides which accounts can open it. The supervised program finds it in SRUP_SOCKET.
   */
  socket: v.exactOptional(path),
});
