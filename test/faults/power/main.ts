/**
 * Records the life of a device, cuts its power before every write, and looks at what is left. Run with
 * `--import ./hooks.ts`. Arguments: seed, states to look at, states to start the agent on. Prints one line of JSON.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@srup/protocol/testing';
import { cutPower } from './disk.ts';
import { findFaults, marksBefore, materialise } from './recover.ts';
import { recordLife } from './scenario.ts';
import { startOn } from './start.ts';

export interface PowerReport {
  /** Writes, changes of names and syncs of one life. */
  readonly operations: number;
  /** Power cuts whose state was looked at. */
  readonly cuts: number;
  /** Faults on a disk that forgets what was synced: there have to be some, or the looking is blind. */
  readonly control: number;
  /** Of these, on how many an agent was started that had to do its work. */
  readonly starts: number;
  readonly faults: readonly { readonly at: number; readonly seed: number; readonly what: string }[];
}

/** Power cuts on a disk without syncs. */
const CONTROLS = 20;

const [seed = 0, cuts = 0, starts = 0] = process.argv.slice(2).map(Number);
const recording = await recordLife();
const { operations, folders } = recording;
const base = await mkdtemp(join(tmpdir(), 'srup-power-'));
const faults: { at: number; seed: number; what: string }[] = [];
let started = 0;
for (let n = 0; n < cuts; n++) {
  const at = n % (operations.length + 1);
  const folder = join(base, String(n));
  const note = (what: string) => faults.push({ at, seed: seed + n, what });
  const image = cutPower(operations, folders, at, seededRandom(seed + n));
  await materialise(image, folder);
  for (const what of await findFaults(folder, marksBefore(operations, at), recording)) note(what);
  await rm(folder, { recursive: true });
  if (starts > 0 && n % Math.ceil(cuts / starts) === 0) {
    await materialise(image, folder);
    started += 1;
    await startOn(folder, recording).catch((error: unknown) => note(String(error)));
    await rm(folder, { recursive: true });
  }
}
let control = 0;
const unsynced = operations.filter((operation) => operation.do !== 'sync');
for (let n = 0; n < CONTROLS; n++) {
  const at = Math.round((unsynced.length * (n + 1)) / CONTROLS);
  const folder = join(base, `control-${n}`);
  await materialise(cutPower(unsynced, folders, at, seededRandom(seed + n)), folder);
  control += (await findFaults(folder, marksBefore(unsynced, at), recording)).length;
}
await rm(base, { recursive: true, force: true });
await recording.close();
const report: PowerReport = { operations: operations.length, cuts, control, starts: started, faults };
console.log(JSON.stringify(report));
process.exit(0);
