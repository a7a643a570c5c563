// `npm run build`: makes dist/<package>/ ready for `npm publish`: JavaScript, declarations, data files and a manifest
// whose exports point at them. In the repository the same exports point at TypeScript, which Node.js runs as it is.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { exportsOf, type Manifest, publishableWorkspaces, root, type Workspace } from './workspaces.ts';

const LIB = 'lib';
const NOT_PUBLISHED = ['devDependencies', 'scripts', 'private'];

function compile(args: readonly string[]): void {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  if (spawnSync(process.execPath, [tsc, ...args], { cwd: root, stdio: 'inherit' }).status !== 0)
    process.exit(1);
}

/** `./src/a/b.ts` -> `./lib/a/b.js`, or with another ending. */
function publishedPath(source: string, ending: string): string {
  const path = source.replace(/^\.\/src\//, `./${LIB}/`).replace(/\.ts$/, ending);
  if (!source.startsWith('./src/') || !source.endsWith('.ts'))
    throw new Error(`exports must point at ./src/*.ts: ${source}`);
  return path;
}

function publishedManifest(manifest: Manifest): Record<string, unknown> {
  const exports = exportsOf(manifest).published.map(([key, source]) => [
    key,
    { types: publishedPath(source, '.d.ts'), default: publishedPath(source, '.js') },
  ]);
  const kept = Object.entries(manifest).filter(([key]) => !NOT_PUBLISHED.includes(key));
  const files = manifest.bin === undefined ? [LIB] : ['bin', LIB];
  return { ...Object.fromEntries(kept), exports: Object.fromEntries(exports) as object, files };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Word lists, schemas and the like, read at run time relative to the module beside them. */
function copyData({ folder }: Workspace, target: string): void {
  const source = join(folder, 'src');
  for (const file of filesBelow(source).filter((name) => !/\.tsx?$/.test(name))) {
    cpSync(file, join(target, LIB, file.slice(source.length)));
  }
}

/** tsc turns `./x.ts` into `./x.js` in JavaScript but leaves it in declarations. */
function rewriteDeclarations(target: string): void {
  for (const file of filesBelow(join(target, LIB)).filter((name) => name.endsWith('.d.ts'))) {
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/((?:from|import) ?\(?['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2'));
  }
}

function copyDocuments({ folder }: Workspace, target: string): void {
  const readme = join(folder, 'README.md');
  cpSync(existsSync(readme) ? readme : join(root, 'README.md'), join(target, 'README.md'));
  cpSync(join(root, 'LICENSE'), join(target, 'LICENSE'));
}

function dropUnpublished({ manifest }: Workspace, target: string): void {
  for (const [, source] of exportsOf(manifest).unpublished)
    rmSync(join(target, dirname(publishedPath(source, '.js'))), { recursive: true });
}

function build(workspace: Workspace): void {
  const target = join(root, 'dist', workspace.id);
  mkdirSync(target, { recursive: true });
  const outDir = join(target, LIB);
  const emit = [
    '--tsBuildInfoFile',
    'null',
    '--composite',
    'false',
    '--incremental',
    'false',
    '--emitDeclarationOnly',
    'false',
    '--outDir',
    outDir,
  ];
  compile(['-p', workspace.folder, ...emit]);
  dropUnpublished(workspace, target);
  rewriteDeclarations(target);
  copyData(workspace, target);
  copyDocuments(workspace, target);
  const bins = Object.values(workspace.manifest.bin ?? {}).map(dirname);
  for (const bin of new Set(bins))
    cpSync(join(workspace.folder, bin), join(target, bin), { recursive: true });
  writeFileSync(
    join(target, 'package.json'),
    `${JSON.stringify(publishedManifest(workspace.manifest), null, 2)}\n`,
  );
  console.log(`dist/${workspace.id}: ${workspace.manifest.name}@${workspace.manifest.version}`);
}

rmSync(join(root, 'dist'), { recursive: true, force: true });
// Each package compiles against the declarations of those below it.
compile(['-b', ...publishableWorkspaces().map(({ folder }) => folder)]);
publishableWorkspaces().forEach(build);
