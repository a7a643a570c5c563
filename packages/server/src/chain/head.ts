import { NO_LINK, type AuditKind } from '@srup/protocol';
import type { Read, Write } from '../store/port.ts';
import { atMost, prepare } from '../store/prepared.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** The last entry: its place, and the hash that the next entry continues. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

const selectHead = prepare((read) =>
  read.selectFrom('audit').select(['seq', 'hash']).orderBy('seq', 'desc').limit(atMost(1)),
);
const selectLastOfKind = prepare((read, p: { readonly kind: AuditKind }) =>
  read.selectFrom('audit').select('body').where('kind', '=', p.kind).orderBy('seq', 'desc').limit(atMost(1)),
);

/** Reads where the trail ends. An empty trail ends with entry 0. */
export async function headOf(source: Read<CoreTables> | Write<CoreTables>): Promise<Head> {
  const { rows } = await selectHead(source, {});
  return rows[0] ?? { seq: 0, hash: NO_LINK };
}

/** Tells whether the newest entry of this kind says the same. Then nothing is new. */
export async function isLastOfKind(
  source: Read<CoreTables> | Write<CoreTables>,
  kind: AuditKind,
  body: object,
): Promise<boolean> {
  const { rows } = await selectLastOfKind(source, { kind });
  return rows[0]?.body === JSON.stringify(body);
}
