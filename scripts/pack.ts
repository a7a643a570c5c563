// `npm run pack`: builds everything and makes dist/srup-VERSION.tgz, one file with the command, all packages of this
// repository and the files that its documents name, for machines without a checkout:
// npm install --global ./srup-VERSION.tgz
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Manifest, publishableWorkspaces, readJson, root } from './workspaces.ts';

const COMMAND = 'srup';
const BESIDE = ['docs', 'examples', 'packaging'];

function run(program: string, args: readonly string[], cwd: string): void {
  if (spawnSync(program, args, { cwd, stdio: 'inherit' }).status !== 0) process.exit(1);
}

run(process.execPath, [join(root, 'scripts/build.ts')], root);
const workspaces = publishableWorkspaces();
const ours = workspaces.map(({ manifest }) => manifest.name).filter((name) => name !== COMMAND);
const bundle = join(root, 'dist', 'bundle');
for (const { id, manifest } of workspaces) {
  const to = manifest.name === COMMAND ? bundle : join(bundle, 'node_modules', manifest.name);
  mkdirSync(to, { recursive: true });
  cpSync(join(root, 'dist', id), to, { recursive: true });
}
for (const folder of BESIDE) cpSync(join(root, folder), join(bundle, folder), { recursive: true });
// npm would treat the dependencies of a bundled package as bundled too, and not fetch them. So the command declares them.
for (const name of ours) {
  const file = join(bundle, 'node_modules', name, 'package.json');
  const manifest = { ...(readJson(file) as Manifest), dependencies: undefined };
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
}
const all = workspaces.flatMap(({ manifest }) => Object.entries(manifest.dependencies ?? {}));
const { devDependencies } = readJson(join(root, 'package.json')) as {
  devDependencies: Record<string, string>;
};
const manifest = readJson(join(bundle, 'package.json')) as Manifest;
const packed = {
  ...manifest,
  engines: undefined,
  files: [...(manifest.files ?? []), ...BESIDE],
  // The launcher hands over to this Node.js where the machine's own is too old.
  dependencies: { ...Object.fromEntries(all), node: devDependencies['node'] },
  bundleDependencies: ours,
};
writeFileSync(join(bundle, 'package.json'), `${JSON.stringify(packed, null, 2)}\n`);
run('npm', ['pack', '--silent', '--pack-destination', join(root, 'dist')], bundle);
rmSync(bundle, { recursive: true });
console.log(
  `dist/${COMMAND}-${manifest.version}.tgz: npm install --global ./${COMMAND}-${manifest.version}.tgz`,
);
