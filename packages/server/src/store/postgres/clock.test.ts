import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SOURCES = fileURLToPath(new URL('../../', import.meta.url));
/** What reads the clock of a database in a statement. `clock.now()` is ours. */
const ITS_CLOCK =
  /\b(current_timestamp|current_date|current_time|localtimestamp|localtime|(clock|statement|transaction)_timestamp|datetime\('now|strftime)\b|(?<![.\w])now\(\)(?! *[:{=])/i;

test('no statement reads the clock of the database: it differs from ours', () => {
  const found = globSync('**/*.ts', { cwd: SOURCES })
    // srup doctor compares the clocks.
    .filter((file) => !file.endsWith('.test.ts') && !file.endsWith('postgres/examine.ts'))
    .filter((file) =>
      [...readFileSync(SOURCES + file, 'utf8').matchAll(/`[^`]*`|'[^'\n]*'|"[^"\n]*"/g)].some(
        ([text]) => /\b(select|insert|update|delete|create|set|where)\b/i.test(text) && ITS_CLOCK.test(text),
      ),
    );
  expect(found).toEqual([]);
});
