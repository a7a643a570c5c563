// `npm run pack:check`: installs the packed command as a stranger would, with npm, and starts a server with it.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './workspaces.ts';

const NPM = ['install', '--global', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
/** Where the systemd units look for packages. */
const UNIT_MODULES = '/usr/lib/node_modules';
const START_MS = 60_000;
const READY = 'Ctrl-C stops it';

function run(program: string, args: readonly string[]): void {
  if (spawnSync(program, args, { cwd: root, stdio: 'inherit' }).status !== 0)
    throw new Error(`${program} ${args.join(' ')} failed`);
}

/** Rejects when the server does not start, or ends with an error. */
async function startAndStop(srup: string, folder: string): Promise<void> {
  const server = spawn(srup, ['up', '--folder', folder, '--https-port', '0', '--mqtts-port', '0']);
  const ended = once(server, 'close');
  const late = setTimeout(() => server.kill('SIGKILL'), START_MS);
  let said = '';
  for (const stream of [server.stdout, server.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      const isFirst = !said.includes(READY);
      said += text;
      // A second signal would mean "at once".
      if (isFirst && said.includes(READY)) server.kill('SIGTERM');
    });
  const [code] = (await ended) as [number | null];
  clearTimeout(late);
  if (code !== 0) throw new Error(`the packed server ended with ${String(code)}:\n${said}`);
}

/** Checks that the programs of the units exist where npm installs them, and the documents that help texts name. */
function checkBeside(modules: string): void {
  const installed = join(modules, 'srup');
  readFileSync(join(installed, 'docs/operation.md'));
  readFileSync(join(installed, 'examples/installers/plain.sh'));
  for (const unit of ['srup-agent', 'srup-server']) {
    const text = readFileSync(join(installed, `packaging/systemd/${unit}.service`), 'utf8');
    const [, node, program] = /^ExecStart=(\S+) (\S+)/m.exec(text.replaceAll(UNIT_MODULES, modules)) ?? [];
    if (node === undefined || program === undefined) throw new Error(`${unit} starts nothing`);
    run(node, [program, '--version']);
  }
}

run(process.execPath, [join(root, 'scripts/pack.ts')]);
const [tarball] = globSync('dist/*.tgz', { cwd: root });
const sandbox = mkdtempSync(join(tmpdir(), 'srup-pack-'));
try {
  if (tarball === undefined) throw new Error('nothing was packed');
  run('npm', [...NPM, '--prefix', sandbox, `./${tarball}`]);
  checkBeside(join(sandbox, 'lib/node_modules'));
  await startAndStop(join(sandbox, 'bin/srup'), join(sandbox, 'server'));
  console.log(`${tarball}: installs, starts and stops`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(sandbox, { recursive: true, force: true });
}
