import { readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { byteCount } from '../screen/words.ts';
import { failed, ok, warning, type Check, type Judgement } from './finding.ts';

const OTHERS = 0o077;
const MIB = 2 ** 20;
/** Free bytes below which the disk is a warning, and a failure. */
const LITTLE = 1024 * MIB;
const TOO_LITTLE = 64 * MIB;
/** Milliseconds that writing a small file may take, as every message waits for that. */
const SLOW_MS = 250;
/** The most paths that are named; the rest is counted. */
const NAMED = 3;

/** Checks the folder of a server or an agent. `skip`: files that other users may read. */
export function diskChecks(folder: string, skip: readonly string[]): Check[] {
  return [
    { name: 'permissions', run: async () => [await checkPermissions(folder, skip)] },
    { name: 'disk space', run: async () => [await checkSpace(folder)] },
    { name: 'disk writes', run: async () => [await checkWrites(folder)] },
  ];
}

async function checkPermissions(folder: string, skip: readonly string[]): Promise<Judgement> {
  const inside = await readdir(folder, { recursive: true });
  const exposed: string[] = [];
  for (const path of ['', ...inside.filter((path) => !skip.some((part) => path.startsWith(part)))]) {
    const found = await stat(join(folder, path)).catch(() => undefined); // it was removed in the meantime
    if (found !== undefined && !found.isSocket() && (found.mode & OTHERS) !== 0) exposed.push(path || '.');
  }
  const { uid } = await stat(folder);
  const self = process.getuid?.() ?? uid;
  if (exposed.length > 0) {
    const named = exposed.slice(0, NAMED).join(', ');
    const more = exposed.length > NAMED ? ` and ${exposed.length - NAMED} more` : '';
    return failed(`other users can access ${named}${more}`, `chmod -R go= '${folder}'`);
  }
  if (uid !== self) {
    return warning(
      `the folder belongs to the user ${uid}, but this is the user ${self}`,
      'Run as its owner.',
    );
  }
  return ok('only its owner can access it');
}

async function checkSpace(folder: string): Promise<Judgement> {
  const { bavail, bsize, files, ffree } = await statfs(folder);
  const free = bavail * bsize;
  const what = `${byteCount(free)} free`;
  if (free < TOO_LITTLE) return failed(what, 'Make room now: without it nothing can be stored.');
  if (files > 0 && ffree < files / 100) return warning('few inodes are free', 'Remove small files.');
  return free < LITTLE ? warning(what, 'Make room before it is full.') : ok(what);
}

/** Writes a file as the server does, and checks that it is complete and how long that takes. */
async function checkWrites(folder: string): Promise<Judgement> {
  const { writeFileAtomic } = await import('@srup/node');
  const path = join(folder, `.doctor-${process.pid}`);
  const begun = performance.now();
  try {
    await writeFileAtomic(path, 'srup doctor');
    if ((await readFile(path, 'utf8')) !== 'srup doctor')
      return failed('a file came back changed', 'Check the disk.');
  } catch (fault) {
    return failed(`can't be written: ${(fault as Error).message}`, 'Is it mounted read-only, or full?');
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
  const ms = Math.round(performance.now() - begun);
  const what = `a small file takes ${ms} ms to be on the disk`;
  return ms > SLOW_MS ? warning(what, 'The disk is slow or busy: every message waits for it.') : ok(what);
}
