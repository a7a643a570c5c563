import { expect, test } from 'vitest';
import { disorder, MOST_FILES } from './rules.ts';

/** A tree of the files of one package, by paths below its `src`. */
function tree(files: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(Object.entries(files).map(([path, text]) => [`packages/node/src/${path}`, text]));
}

test('a tree in order is clean: root files above and below the folders, and one folder above another', () => {
  const clean = tree({
    'index.ts': "export * from './http/route.ts';\nexport * from './clock.ts';",
    'http/route.ts': "import { now } from '../clock.ts';\nimport type { Row } from '../store/row.ts';",
    'http/forms/form.ts': "import '../../store/sqlite/open.ts';",
    'store/row.ts': "import { now } from '../clock.ts';\nimport { encodeText } from '@srup/protocol';",
    'store/sqlite/open.ts': "import type { Row } from '../row.ts';\nimport { open } from 'node:fs/promises';",
    'clock.ts': 'export const now = 0;',
  });
  expect(disorder(clean)).toEqual([]);
});

test('a circle of files is named with the file and the line of each import', () => {
  const circle = tree({
    'a.ts': "import { b } from './b.ts';",
    'b.ts': "\nimport { c } from './c.ts';",
    'c.ts': "import { d } from './d.ts';\nimport { a } from './a.ts';",
    'd.ts': '',
  });
  expect(disorder(circle)).toEqual([
    [
      'Circle of files: packages/node/src/a.ts -> packages/node/src/b.ts -> packages/node/src/c.ts -> packages/node/src/a.ts',
      '  packages/node/src/a.ts -> packages/node/src/b.ts',
      '    packages/node/src/a.ts:1 imports packages/node/src/b.ts',
      '  packages/node/src/b.ts -> packages/node/src/c.ts',
      '    packages/node/src/b.ts:2 imports packages/node/src/c.ts',
      '  packages/node/src/c.ts -> packages/node/src/a.ts',
      '    packages/node/src/c.ts:2 imports packages/node/src/a.ts',
    ].join('\n'),
  ]);
});

test.each([
  ['a type', "import type { A } from './a.ts';"],
  ['a name that is a type', "import { type A } from './a.ts';"],
  ['a type in its place', "let a: import('./a.ts').A;"],
  ['the type of a module', "let a: typeof import('./a.ts');"],
  ['a dynamic import', "const a = await import('./a.ts');"],
  ['an import for its effects', "import './a.ts';"],
  ['a re-export', "export { a } from './a.ts';"],
  ['a re-export of all', "export * from './a.ts';"],
  ['a re-export under a name', "export * as a from './a.ts';"],
  ['a re-export of a type', "export type { A } from './a.ts';"],
])('a circle is closed by %s', (_way, closing) => {
  const found = disorder(tree({ 'a.ts': "import { b } from './b.ts';", 'b.ts': closing }));
  expect(found).toHaveLength(1);
  expect(found[0]).toContain('packages/node/src/b.ts:1 imports packages/node/src/a.ts');
});

test('comments, strings and templates import nothing', () => {
  const quiet = tree({
    'a.ts': "import { b } from './b.ts';",
    'b.ts':
      "// import './a.ts';\n/* import './a.ts'; */\nexport const b = \"import './a.ts'\" + `import('./a.ts')`;",
  });
  expect(disorder(quiet)).toEqual([]);
});

test('a file that imports itself is a circle', () => {
  expect(disorder(tree({ 'a.ts': "import { a } from './a.ts';" }))).toHaveLength(1);
});

test('two folders that import each other are a circle, though no two files do', () => {
  const found = disorder(
    tree({
      'audit/trail.ts': "import { save } from '../fleet/save.ts';",
      'audit/entry.ts': '',
      'fleet/save.ts': '',
      'fleet/queries.ts': "import type { Entry } from '../audit/entry.ts';",
    }),
  );
  expect(found).toEqual([
    [
      'Circle of folders in packages/node/src/: audit/ -> fleet/ -> audit/',
      '  audit/ -> fleet/',
      '    packages/node/src/audit/trail.ts:1 imports packages/node/src/fleet/save.ts',
      '  fleet/ -> audit/',
      '    packages/node/src/fleet/queries.ts:1 imports packages/node/src/audit/entry.ts',
    ].join('\n'),
  ]);
});

test('three folders are a circle, at whatever depth their files lie', () => {
  const found = disorder(
    tree({
      'a/deep/one.ts': "import '../../b/two.ts';",
      'b/two.ts': '',
      'b/deep/three.ts': "import '../../c/four.ts';",
      'c/four.ts': '',
      'c/five.ts': "export * from '../a/six.ts';",
      'a/six.ts': '',
    }),
  );
  expect(found).toHaveLength(1);
  expect(found[0]).toContain('Circle of folders in packages/node/src/: a/ -> b/ -> c/ -> a/');
});

test('subfolders have an order of their own', () => {
  const found = disorder(
    tree({
      'store/sqlite/a.ts': "import '../rows/b.ts';",
      'store/sqlite/c.ts': '',
      'store/rows/b.ts': '',
      'store/rows/d.ts': "import '../sqlite/c.ts';",
    }),
  );
  expect(found).toHaveLength(1);
  expect(found[0]).toContain('Circle of folders in packages/node/src/store/: sqlite/ -> rows/ -> sqlite/');
});

test('a file above a folder that is also below it closes a circle', () => {
  const found = disorder(
    tree({
      'contract.ts': "import { open } from './store/open.ts';",
      'store/open.ts': '',
      'store/row.ts': "import type { Contract } from '../contract.ts';",
    }),
  );
  expect(found).toHaveLength(1);
  expect(found[0]).toContain('Circle of folders in packages/node/src/: contract.ts -> store/ -> contract.ts');
});

test('each of two circles through one folder is named', () => {
  const found = disorder(
    tree({
      'a/1.ts': "import '../b/1.ts';\nimport '../c/1.ts';",
      'a/2.ts': '',
      'b/1.ts': '',
      'b/2.ts': "import '../a/2.ts';",
      'c/1.ts': '',
      'c/2.ts': "import '../a/2.ts';",
    }),
  );
  expect(found.map((text) => text.split('\n')[0])).toEqual([
    'Circle of folders in packages/node/src/: a/ -> b/ -> a/',
    'Circle of folders in packages/node/src/: a/ -> c/ -> a/',
  ]);
});

test('outside of packages folders may import each other, but files not', () => {
  const around = new Map([
    ['test/a/1.ts', "import '../b/1.ts';"],
    ['test/b/1.ts', ''],
    ['test/b/2.ts', "import '../a/2.ts';"],
    ['test/a/2.ts', ''],
    ['bench/run.ts', "import './report.ts';"],
    ['bench/report.ts', "import './run.ts';"],
  ]);
  expect(disorder(around).map((text) => text.split('\n')[0])).toEqual([
    'Circle of files: bench/run.ts -> bench/report.ts -> bench/run.ts',
  ]);
});

test(`a folder with more than ${MOST_FILES} files is crowded; what testing/ holds does not count`, () => {
  const names = Array.from({ length: MOST_FILES }, (_, index) => `${index}.ts`);
  const folder = Object.fromEntries(names.map((name) => [`store/${name}`, '']));
  const testing = Object.fromEntries([...names, 'more.ts'].map((name) => [`testing/${name}`, '']));
  expect(disorder(tree({ ...folder, ...testing }))).toEqual([]);
  const [found] = disorder(tree({ ...folder, 'store/more.ts': '' }));
  expect(found).toContain(`packages/node/src/store/ has ${MOST_FILES + 1} product files`);
});

test.each([
  ['protocol', '@srup/node'],
  ['node', '@srup/agent/parts'],
  ['agent', '@srup/server'],
  ['server', '@srup/agent'],
  ['server', 'srup'],
  ['agent', '@srup/agent'],
  ['agent', '../../server/src/a.ts'],
])('%s may not import %s', (folder, specifier) => {
  const found = disorder(new Map([[`packages/${folder}/src/a.ts`, `import '${specifier}';`]]));
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(`packages/${folder}/src/a.ts:1 imports`);
});

test.each([
  ['cli', '@srup/server'],
  ['server', '@srup/node'],
  ['agent', '@srup/protocol/testing'],
  ['protocol', './b.ts'],
])('%s may import %s', (folder, specifier) => {
  expect(disorder(new Map([[`packages/${folder}/src/a.ts`, `import '${specifier}';`]]))).toEqual([]);
});
