import { sql, type Expression } from 'kysely';

/**
 * A condition: the text of a column contains this part, whatever the case of its letters. `%`, `_` and `\` in the part
 * stand for themselves. Both sides are folded by the database, because databases differ in which letters they know:
 * SQLite folds A to Z.
 *
 * @example
 * rows.where((where) => where.or([contains(where.ref('name'), 'pump'), contains(where.ref('digest'), 'pump')]));
 */
export function contains(text: Expression<string | null>, part: string) {
  const pattern = `%${part.replace(/[\\%_]/g, '\\$&')}%`;
  return sql<boolean>`lower(${text}) like lower(${pattern}) escape '\\'`;
}
