import { sql, type Expression } from 'kysely';

/**
 * A condition: the text of a column contains this part, whatever the case of its letters. `%`, `_` and `\` in the part
 * stand for themselves. Only A to Z have two cases here: databases differ in which other letters they know.
 *
 * @example
 * rows.where((where) => where.or([contains(where.ref('name'), 'pump'), contains(where.ref('digest'), 'pump')]));
 */
export function contains(text: Expression<string | null>, part: string) {
  const folded = part.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const pattern = `%${folded.replace(/[\\%_]/g, '\\$&')}%`;
  return sql<boolean>`lower(${text}) like ${pattern} escape '\\'`;
}
