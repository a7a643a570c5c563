/** Runs one fleet on one server: it joins and is updated. The counts come from the evidence in the server's database. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { optionsOf, writeAccess } from '../../test/support/database.ts';
import { startPostgres } from '../../test/support/postgres.ts';
import { openEvidence, type Heard } from './evidence.ts';
import { cpuSeconds, cpuSecondsOfTree, memoryOf, runSrup, startSrup, untilTrue } from './processes.ts';
import { summariseProfile, type Share } from './profile.ts';
import { startServer } from './server.ts';

const JOIN_MS = 3_600_000;
const UPDATE_MS = 1_800_000;
/** How long the server can take for the rest when the fleet is gone. */
const LAST_MS = 30_000;
/** Between two looks at how far the fleet is, in milliseconds: a look counts rows, which takes its time too. */
const LOOK_MS = 500;
/** Bytes of the artifact; it is small, so that the commands dominate. */
const ARTIFACT_BYTES = 1_024;

export interface Times {
  readonly count: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p95: number;
}

export interface FleetFigures {
  readonly suite: string;
  readonly database: DatabaseName;
  readonly devices: number;
  /** From the first registration until all have joined. */
  readonly joinedAMinute: number;
  /** INITIATEs with a verified receipt "staged", counted from the order. */
  readonly stagedAMinute: number;
  /** The same until "active": two signed commands and two receipts each. */
  readonly activeAMinute: number;
  readonly steps: Readonly<Record<string, Times>>;
  /** Seconds of processor that the server used: coming up, updating. */
  readonly cpu: { readonly joining: number; readonly updating: number };
  /** The same of PostgreSQL. */
  readonly databaseCpu?: { readonly joining: number; readonly updating: number };
  /** The memory of the server in MiB: with all connected, and at most. */
  readonly memory: { readonly connected: number; readonly peak: number };
  /** The largest memory of the simulator, MiB. */
  readonly simulator: number;
  readonly profile?: readonly Share[];
}

export type DatabaseName = 'sqlite' | 'postgres';

export async function runFleet(
  folder: string,
  { suite, database, devices }: Pick<FleetFigures, 'suite' | 'database' | 'devices'>,
  isProfiled: boolean,
): Promise<FleetFigures> {
  await mkdir(folder);
  await using postgres = database === 'postgres' ? await openDatabase(folder) : undefined;
  const nodeArgs = isProfiled ? ['--cpu-prof', `--cpu-prof-dir=${folder}/profile`] : [];
  const server = await startServer(folder, nodeArgs, postgres?.args);
  const { pid } = server.process;
  const evidence = await openEvidence(join(folder, 'server'));
  const databaseCpu = () => (postgres === undefined ? 0 : cpuSecondsOfTree(postgres.pid));
  const fleet = startSrup(
    [
      'simulate',
      '--devices',
      String(devices),
      '--suite',
      suite,
      '--accept-joins',
      '--until',
      'updated',
      '--json',
    ],
    server.env,
  );
  try {
    const isUp = async (): Promise<boolean> => {
      if (fleet.child.exitCode !== null) throw new Error(`srup simulate ended: ${fleet.stderr()}`);
      return (await evidence.joined()) === devices;
    };
    await untilTrue('all devices are joined', isUp, JOIN_MS, LOOK_MS);
    const upAt = Date.now();
    const [cpuUp, databaseUp] = [cpuSeconds(pid), databaseCpu()];
    const connected = memoryOf(pid).now;

    const artifact = join(folder, 'artifact');
    await writeFile(artifact, Buffer.alloc(ARTIFACT_BYTES, suite));
    const orderedAt = Date.now();
    await runSrup(['ctl', 'update', '--type', 'simulated', artifact, '--no-wait'], server.env);
    const isUpdated = async () => (await evidence.active()) === devices;
    const hasEnded = () => fleet.child.exitCode !== null;
    // The fleet ends when its devices have said all: what the server does not take soon then, it never will.
    const isOver = async () => hasEnded() || (await isUpdated());
    await untilTrue('all devices are updated', isOver, UPDATE_MS, LOOK_MS);
    const code = await fleet.ended;
    await untilTrue(
      `all are updated (srup simulate ended with ${code}: ${fleet.stderr()})`,
      isUpdated,
      LAST_MS,
    );
    const [cpuDone, databaseDone] = [cpuSeconds(pid), databaseCpu()];
    const summary = JSON.parse(fleet.stdout()) as { steps: Record<string, Times>; memoryMiB: number };
    const receipts = readReceipts(await evidence.update(orderedAt));
    const { peak } = memoryOf(pid);
    const from = await evidence.firstSeenAt();
    await server.process.stop();
    return {
      ...{ suite, database, devices },
      joinedAMinute: rate(devices, upAt - from),
      stagedAMinute: rate(devices, receipts.lastStagedAt - receipts.firstSentAt),
      activeAMinute: rate(devices, receipts.lastActiveAt - receipts.firstSentAt),
      steps: { ...summary.steps, ...receipts.steps },
      cpu: { joining: cpuUp, updating: cpuDone - cpuUp },
      ...(postgres && { databaseCpu: { joining: databaseUp, updating: databaseDone - databaseUp } }),
      memory: { connected, peak },
      simulator: summary.memoryMiB,
      ...(isProfiled && { profile: await readProfile(join(folder, 'profile')) }),
    };
  } finally {
    await evidence.close();
    fleet.child.kill('SIGKILL');
    server.process.child.kill('SIGTERM');
    await server.process.ended;
  }
}

/** A PostgreSQL for this run, and the options of `srup up` for it. */
async function openDatabase(folder: string) {
  const postgres = await startPostgres();
  return {
    pid: postgres.pid,
    args: optionsOf(await writeAccess(await postgres.createDatabase(), join(folder, 'database-password'))),
    [Symbol.asyncDispose]: () => postgres.clear(),
  };
}

function rate(devices: number, milliseconds: number): number {
  return Math.round((devices * 60_000) / milliseconds);
}

/** The evidence that the server kept: INITIATE, RESPONSE, ACTIVATE, RESPONSE of every device, in that order. */
function readReceipts(rows: readonly Heard[]) {
  const staged: number[] = [];
  const active: number[] = [];
  const ends = { firstSentAt: Infinity, lastStagedAt: 0, lastActiveAt: 0 };
  let sent: { readonly type: string; readonly at: number } | undefined;
  for (const { type, at } of rows) {
    if (type !== 'RESPONSE') {
      sent = { type, at };
      if (type === 'INITIATE') ends.firstSentAt = Math.min(ends.firstSentAt, at);
    } else if (sent?.type === 'INITIATE') {
      staged.push(at - sent.at);
      ends.lastStagedAt = Math.max(ends.lastStagedAt, at);
    } else if (sent?.type === 'ACTIVATE') {
      active.push(at - sent.at);
      ends.lastActiveAt = Math.max(ends.lastActiveAt, at);
    }
  }
  return { ...ends, steps: { 'initiate to staged': times(staged), 'activate to active': times(active) } };
}

function times(values: readonly number[]): Times {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
  return { count: values.length, p50: at(0.5), p95: at(0.95) };
}

async function readProfile(folder: string): Promise<readonly Share[]> {
  const [file] = await readdir(folder);
  return summariseProfile(JSON.parse(await readFile(join(folder, file ?? ''), 'utf8')) as never);
}
