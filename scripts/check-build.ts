// `npm run build:check`: builds the packages, packs them, and uses the packed files as a stranger would: it checks
// manifests and types, imports every export, and runs the command in a folder with the declared dependencies only.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import {
  exportsOf,
  installedFolder,
  type Manifest,
  publishableWorkspaces,
  readJson,
  root,
  type Workspace,
} from './workspaces.ts';

const SMALLEST_CONSUMER = {
  strict: true,
  noEmit: true,
  module: 'nodenext',
  lib: ['es2022'],
  types: [],
  skipLibCheck: false,
};

function run(command: string, args: readonly string[], cwd: string): string {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (result.status === 0) return result.stdout;
  throw new Error(`${command} ${args.join(' ')}\n${result.stdout}${result.stderr}`);
}

function node(tool: string, args: readonly string[], cwd: string): string {
  return run(process.execPath, [join(root, tool), ...args], cwd);
}

async function lintManifest(folder: string): Promise<void> {
  const { messages } = await publint({ pkgDir: folder, strict: true });
  const manifest = readJson(join(folder, 'package.json')) as Record<string, unknown>;
  const problems = messages
    .filter(({ type }) => type !== 'suggestion')
    .map((message) => formatMessage(message, manifest));
  if (problems.length > 0) throw new Error(`${folder}/package.json\n${problems.join('\n')}`);
}

function pack({ id }: Workspace, sandbox: string): string {
  const output = run(
    'npm',
    ['pack', '--json', '--loglevel=error', '--pack-destination', sandbox],
    join(root, 'dist', id),
  );
  const [packed] = JSON.parse(output) as { filename: string }[];
  if (packed === undefined) throw new Error(`npm packed nothing for ${id}`);
  return join(sandbox, packed.filename);
}

/** Unpacks into node_modules and links only what the manifest declares, so that a forgotten dependency fails. */
function install(workspace: Workspace, tarball: string, sandbox: string): void {
  const { name } = workspace.manifest;
  const folder = join(sandbox, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  run('tar', ['xzf', tarball, '--strip-components=1', '-C', folder], sandbox);
  const manifest = readJson(join(folder, 'package.json')) as Manifest;
  const ours = publishableWorkspaces().map((other) => other.manifest.name);
  for (const dependency of Object.keys(manifest.dependencies ?? {}).filter(
    (other) => !ours.includes(other),
  )) {
    const link = join(folder, 'node_modules', dependency);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(installedFolder(workspace, dependency), link);
  }
  for (const [command, file] of Object.entries(manifest.bin ?? {})) {
    mkdirSync(join(sandbox, 'node_modules/.bin'), { recursive: true });
    symlinkSync(join(folder, file), join(sandbox, 'node_modules/.bin', command));
  }
}

function specifiers({ manifest }: Workspace): string[] {
  return exportsOf(manifest).published.map(([key]) => `${manifest.name}${key.slice(1)}`);
}

function importEverything(workspaces: readonly Workspace[], sandbox: string): void {
  const lines = workspaces.flatMap(specifiers).map((specifier) => `await import('${specifier}');`);
  writeFileSync(join(sandbox, 'imports.mjs'), `${lines.join('\n')}\n`);
  run(process.execPath, ['imports.mjs'], sandbox);
}

/** The protocol's types must compile without Node.js, without a DOM and without skipping library checks. */
function compileProtocolConsumer(protocol: Workspace, sandbox: string): void {
  const lines = specifiers(protocol).map((specifier, index) => `export * as p${index} from '${specifier}';`);
  writeFileSync(join(sandbox, 'consumer.mts'), `${lines.join('\n')}\n`);
  const project = { compilerOptions: SMALLEST_CONSUMER, files: ['consumer.mts'] };
  writeFileSync(join(sandbox, 'tsconfig.json'), JSON.stringify(project));
  node('node_modules/typescript/bin/tsc', ['-p', '.'], sandbox);
}

function runCommands({ manifest }: Workspace, sandbox: string): void {
  for (const command of Object.keys(manifest.bin ?? {})) {
    const printed = run('npx', ['--no-install', command, '--version'], sandbox).trim();
    if (printed !== manifest.version)
      throw new Error(`${command} --version printed "${printed}", not ${manifest.version}`);
  }
}

const sandbox = mkdtempSync(join(tmpdir(), 'srup-build-'));
try {
  node('scripts/build.ts', [], root);
  writeFileSync(join(sandbox, 'package.json'), '{ "private": true, "type": "module" }\n');
  const workspaces = publishableWorkspaces();
  for (const workspace of workspaces) {
    await lintManifest(join(root, 'dist', workspace.id));
    const tarball = pack(workspace, sandbox);
    node(
      'node_modules/@arethetypeswrong/cli/dist/index.js',
      [tarball, '--profile', 'esm-only', '--no-color'],
      root,
    );
    install(workspace, tarball, sandbox);
  }
  importEverything(workspaces, sandbox);
  workspaces
    .filter(({ id }) => id === 'protocol')
    .forEach((protocol) => {
      compileProtocolConsumer(protocol, sandbox);
    });
  workspaces.forEach((workspace) => {
    runCommands(workspace, sandbox);
  });
  console.log(`${workspaces.length} packages: manifests, types, imports and commands are good`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(sandbox, { recursive: true, force: true });
}
