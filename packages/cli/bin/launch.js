// Any Node.js from 14 on can run this file; the commands need 24. An older one hands over to the Node.js 24 that the
// npm package "node" brought, beside this package or at the root of the workspace.
import { spawn } from 'child_process';
import { existsSync, readFileSync } from 'fs';
import * as nodeModule from 'module';
import { constants, homedir } from 'os';
import { dirname, join } from 'path';
import { fileURLToPath } from 'url';

const NEEDED_MAJOR = 24;
/** The GNU C library gives back what has been used, where it would keep it for later. Others ignore these. */
const GIVING_BACK = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '32768' };
/** How Node.js starts for a kind of program: its flags, and settings of the C library. */
const STARTS = {
  small: {
    // Nothing is compiled to machine code, one thread does all of it, and the agent may say when memory is to be given
    // back: then what has not run since the last time is forgotten too, and compiled again when it is needed.
    flags: ['--lite-mode', '--single-threaded', '--bytecode-old-age=1', '--expose-gc'],
    env: { ...GIVING_BACK, MALLOC_TRIM_THRESHOLD_: '65536' },
  },
  server: {
    // Young objects live in three spaces of this size, in MiB; by default they grow to 100 MiB while a fleet comes up. Old
    // objects are collected when they have grown by 40 %; by default they double or more while a fleet updates.
    flags: ['--max-semi-space-size=16', '--heap-growing-percent=40'],
    // Node.js reads each TLS connection into a buffer of 64 KiB, but a message fills only one page of it. When each
    // buffer is mapped by itself, the rest of it takes no memory. A process can have 65,530 mappings, and V8 needs its share of them.
    env: { ...GIVING_BACK, MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_MAX_: '40000' },
  },
  other: { flags: [], env: {} },
};
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];

function stop(message) {
  console.error(message);
  process.exit(2);
}

function isNewEnough(version) {
  return Number(version.split('.')[0]) >= NEEDED_MAJOR;
}

function findNode() {
  try {
    const manifest = nodeModule.createRequire(import.meta.url).resolve('node/package.json');
    if (!isNewEnough(JSON.parse(readFileSync(manifest, 'utf8')).version)) return undefined;
    const files = ['node', 'node.exe'].map((name) => join(dirname(manifest), 'bin', name));
    return files.find((file) => existsSync(file));
  } catch {
    return undefined; // the package is not installed
  }
}

function handOver(self) {
  const node = findNode();
  if (node === undefined) {
    stop(
      `srup: Node.js ${NEEDED_MAJOR} or newer is needed; this is ${process.version}.\n` +
        `Install Node.js ${NEEDED_MAJOR}, or run "npm install node@${NEEDED_MAJOR}" beside srup.`,
    );
  }
  const child = spawn(node, [self, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  // A terminal sends Ctrl-C to the child too: twice would mean "at once".
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  child.on('error', (error) => stop(`srup: ${node} could not be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    // Killed by a signal: the code that a shell would give.
    process.exit(signal === null ? code : 128 + constants.signals[signal]);
  });
}

/** Compiled code is kept between runs, in a folder of this user alone: it starts in half the time. */
function keepCompiled() {
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  nodeModule.enableCompileCache(join(caches, 'srup'));
}

/**
 * Becomes the same program with this start, which counts from the first moment only. Returns when it has all of it, or
 * others of the same names, or where a process can't be replaced (Windows).
 */
function become(self, { flags, env }) {
  const nameOf = (flag) => flag.split('=', 1)[0];
  const known = process.execArgv.map(nameOf);
  const missing = flags.filter((flag) => !known.includes(nameOf(flag)));
  if (missing.length === 0 && Object.keys(env).every((name) => name in process.env)) return;
  const args = [process.execPath, ...process.execArgv, ...missing, self, ...process.argv.slice(2)];
  try {
    process.execve(process.execPath, args, { ...env, ...process.env });
  } catch (error) {
    if (error.code !== 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM') throw error;
  }
}

/**
 * Starts what `entry` names, below src or lib, in place of the program `url`. `kind`: `small`, in little memory, for a
 * program that waits most of its life and leaves to native code what takes time; `server`; or `other`.
 */
export function launch(url, entry, kind) {
  const self = fileURLToPath(url);
  if (!isNewEnough(process.versions.node)) {
    handOver(self);
    return;
  }
  const source = new URL(`../src/${entry}.ts`, import.meta.url);
  const isSource = existsSync(source);
  // In a checkout types are stripped at each start, and that is real work: there nothing is small.
  const isSmall = kind === 'small' && !isSource;
  if (isSmall || kind !== 'small') become(self, STARTS[kind]);
  if (!isSmall) keepCompiled();
  const file = isSource ? source : new URL(`../lib/${entry}.js`, import.meta.url);
  import(file.href).then(({ main }) => main(process.argv));
}
