/** Conditions that must hold before a switch (P 10.11). The server hears which one does not, and asks again. */
import { readdir, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentConfig } from '../config/config.ts';
import { reasonOf } from '../ground/trouble.ts';
import type { CommandAnswer } from '../program/command.ts';
import { type Deferral, readDeferral } from './deferral.ts';

export type Precondition = AgentConfig['software']['preconditions'][number];

export interface PreconditionPorts {
  readonly ask: (argv: readonly string[], timeoutMs: number, signal: AbortSignal) => Promise<CommandAnswer>;
  /** Ms since 1970. */
  readonly now: () => number;
  /** The folder whose disk counts when the condition names none. */
  readonly folder: string;
  /** Where the kernel shows batteries; tests have their own. */
  readonly supplies?: string;
}

const SUPPLIES = '/sys/class/power_supply';
const MIB = 2 ** 20;

/** Finds the first condition that does not hold, as a deferral. Rejects with the signal's reason only. */
export async function findDeferral(
  conditions: readonly Precondition[],
  ports: PreconditionPorts,
  signal: AbortSignal,
): Promise<Deferral | undefined> {
  for (const condition of conditions) {
    const found = await judge(condition, ports, signal);
    if (found === undefined) continue;
    const until = ports.now() + condition.retrySeconds * 1000;
    return { until, ...found, reason: condition.reason ?? found.reason };
  }
  return undefined;
}

async function judge(
  condition: Precondition,
  ports: PreconditionPorts,
  signal: AbortSignal,
): Promise<Deferral | undefined> {
  const { command, batteryPercent, freeMiB, path } = condition;
  if (command !== undefined) {
    const answer = await ports.ask(command, condition.timeoutSeconds * 1000, signal);
    const { failure } = answer;
    return failure === undefined ? undefined : readDeferral(answer, `${command[0]}: ${failure}`, ports.now());
  }
  if (batteryPercent !== undefined) return judgeBattery(batteryPercent, ports.supplies ?? SUPPLIES);
  return judgeSpace(freeMiB ?? 0, path ?? ports.folder);
}

/** Is there enough room for this user on the disk of that path? A condition that can't be measured does not hold. */
async function judgeSpace(wantedMiB: number, path: string): Promise<Deferral | undefined> {
  try {
    const { bavail, bsize } = await statfs(path);
    const free = Math.floor((bavail * bsize) / MIB);
    if (free >= wantedMiB) return undefined;
    return { reason: `${free} MiB are free at ${path}, and ${wantedMiB} are wanted` };
  } catch (error) {
    return { reason: `the free space at ${path} is not known (${reasonOf(error)})` };
  }
}

/** A device on mains power, or without a battery, needs no charge. */
async function judgeBattery(wanted: number, folder: string): Promise<Deferral | undefined> {
  const names = await readdir(folder).catch(() => []);
  const supplies = await Promise.all(names.map((name) => readSupply(join(folder, name))));
  const own = supplies.filter(({ scope }) => scope !== 'Device'); // that of a mouse or a keyboard
  if (own.some(({ type, online }) => type !== 'Battery' && online === '1')) return undefined;
  const batteries = own.filter(({ type }) => type === 'Battery');
  if (batteries.length === 0) return undefined;
  const charges = batteries.map(({ capacity }) => Number.parseInt(capacity, 10)).filter(Number.isFinite);
  if (charges.length === 0) return { reason: 'the charge of the battery is not known' };
  const charge = Math.max(...charges);
  return charge >= wanted
    ? undefined
    : { reason: `the battery has ${charge} %, and ${wanted} % or mains power is wanted` };
}

async function readSupply(folder: string) {
  const read = (name: string) =>
    readFile(join(folder, name), 'utf8').then(
      (text) => text.trim(),
      () => '',
    );
  const [type, scope, online, capacity] = await Promise.all([
    read('type'),
    read('scope'),
    read('online'),
    read('capacity'),
  ]);
  return { type, scope, online, capacity };
}
