import type { Compilable, QueryResult } from 'kysely';
import type { Read, Write } from '../store/port.ts';
import { prepare as prepareForCore } from '../store/prepared.ts';
import type { KeyServiceTables } from './tables.ts';

/**
 * Prepares a statement of an enrolment: to build it anew for each device takes longer than to run it.
 *
 * @example
 * const selectRow = prepare((read, p: { readonly id: string }) =>
 *   read.selectFrom('identities').selectAll().where('id', '=', p.id),
 * );
 * const { rows } = await selectRow(store.read, { id });
 */
// Only the types of its tables bind it to the core.
export const prepare = prepareForCore as unknown as <
  Values extends object,
  Row,
  Source extends Read<KeyServiceTables> | Write<KeyServiceTables> = Read<KeyServiceTables>,
>(
  build: (source: Source, values: Values) => Compilable<Row>,
) => (source: Source, values: Values) => Promise<QueryResult<Row>>;
