// The entry of `npm start` and `npm test`. Node.js 14 and newer can run this file; the project itself needs 24. It
// installs the packages of package-lock.json if they are missing, and then hands over to Node.js 24.
import { spawn, spawnSync } from 'child_process';
import { existsSync, readFileSync } from 'fs';
import { delimiter, join } from 'path';
import { fileURLToPath } from 'url';

const NEEDED_MAJOR = 24;
const PARENT_CHECK_MS = 500;
const root = fileURLToPath(new URL('..', import.meta.url));
const installed = join(root, 'node_modules');

const COMMANDS = {
  start: ['packages/cli/bin/srup.js', 'start'],
  test: ['scripts/test.ts'],
};

function stop(message) {
  console.error(message);
  process.exit(1);
}

function readPackages(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {};
}

/** npm writes what it installed to node_modules/.package-lock.json, as its last step. */
function isInstalled() {
  const present = readPackages(join(installed, '.package-lock.json'));
  return Object.entries(readPackages(join(root, 'package-lock.json')))
    .filter(([path, wanted]) => path.includes('node_modules/') && !wanted.optional && !wanted.devOptional)
    .every(([path, wanted]) => {
      const found = present[path];
      return found !== undefined && found.version === wanted.version && found.integrity === wanted.integrity;
    });
}

function install() {
  console.error('Installing dependencies from package-lock.json (once; about a minute)...');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--loglevel=error'];
  const result = npm
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: 'inherit' })
    : spawnSync('npm', args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  if (result.status !== 0) {
    stop(
      'The dependencies could not be installed (npm says why above). Check the network, then run the same command again.',
    );
  }
}

/** This process when it is new enough, else the Node.js that the dev dependency "node" brought. */
function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) return process.execPath;
  const bundled = ['node', 'node.exe']
    .map((name) => join(installed, 'node', 'bin', name))
    .find((file) => existsSync(file));
  if (bundled !== undefined) return bundled;
  return stop(
    `SRUP needs Node.js ${NEEDED_MAJOR} or newer; this is ${process.version}, and npm has no Node.js ${NEEDED_MAJOR} for ` +
      `${process.platform}-${process.arch}. Install Node.js ${NEEDED_MAJOR} and run the same command again.`,
  );
}

function handOver(node, args) {
  const PATH = [join(installed, '.bin'), process.env.PATH].join(delimiter);
  const child = spawn(node, args, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH } });
  // The terminal sends Ctrl-C to the child too; other senders reach only this process.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  // npm passes SIGTERM to its shell, which dies without passing it on: a lost parent is the only sign.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, PARENT_CHECK_MS);
  child.on('error', (error) => stop(`${node} could not be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    clearInterval(watch);
    process.exitCode = code === null ? 1 : code;
    if (signal === 'SIGKILL')
      console.error('The process was killed (SIGKILL); the machine may be out of memory.');
  });
}

const [name, ...rest] = process.argv.slice(2);
const command = COMMANDS[name];
if (command === undefined) stop(`usage: node scripts/run.mjs ${Object.keys(COMMANDS).join('|')} [arguments]`);
if (!isInstalled()) install();
handOver(findNode(), [...command, ...rest]);
