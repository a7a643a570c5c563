/** The order of this repository; the rules are in rules.ts. */
import { globSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { disorder } from './rules.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PRODUCT = ['packages/*/src/**/*.ts'];
/** Rule 1 alone looks at these. */
const AROUND = ['bench/**/*.ts', 'scripts/**/*.ts', 'test/**/*.ts'];

function readTree(): Map<string, string> {
  const paths = globSync([...PRODUCT, ...AROUND], {
    cwd: ROOT,
    exclude: ['**/node_modules/**', '**/*.test.ts'],
  });
  return new Map(
    paths.sort().map((path) => [path.split(sep).join('/'), readFileSync(join(ROOT, path), 'utf8')]),
  );
}

test('files, folders and packages have an order, and no folder is crowded', () => {
  const tree = readTree();
  expect(tree.size).toBeGreaterThan(300);
  const found = disorder(tree);
  expect(found.length, `\n${found.join('\n\n')}\n`).toBe(0);
});
