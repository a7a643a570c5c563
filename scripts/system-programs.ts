// The programs of the operating system that some test suites need, and how to install them.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';

interface SystemProgram {
  /** Names of the executable, in order of preference. */
  readonly executables: readonly string[];
  /** Debian packages that bring it. */
  readonly debian: readonly string[];
  /** Folders that are on nobody's PATH, in order of preference; they come first. */
  readonly folders?: () => readonly string[];
}

const OLDEST_POSTGRESQL = 15;

/** Debian keeps the servers of each version of PostgreSQL in a folder of their own; the newest comes first. */
function postgresqlFolders(): string[] {
  return globSync('/usr/lib/postgresql/*/bin')
    .map((folder) => ({ folder, version: Number(folder.split('/').at(-2)) }))
    .filter(({ version }) => version >= OLDEST_POSTGRESQL)
    .sort((a, b) => b.version - a.version)
    .map(({ folder }) => folder);
}

/** One entry for each program that a suite in this repository uses: everything listed here is installed by `npm test`. */
const PROGRAMS = {
  mosquitto: { executables: ['mosquitto'], debian: ['mosquitto'] },
  'systemd-analyze': { executables: ['systemd-analyze'], debian: ['systemd'] },
  pkill: { executables: ['pkill'], debian: ['procps'] },
  faketime: { executables: ['faketime'], debian: ['faketime'] },
  openssl: { executables: ['openssl'], debian: ['openssl'] },
  shellcheck: { executables: ['shellcheck'], debian: ['shellcheck'] },
  postgres: { executables: ['postgres'], debian: ['postgresql'], folders: postgresqlFolders },
  pgbouncer: { executables: ['pgbouncer'], debian: ['pgbouncer'] },
} as const satisfies Record<string, SystemProgram>;

export type ProgramName = keyof typeof PROGRAMS;

const programs: Readonly<Record<string, SystemProgram>> = PROGRAMS;

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of an installed program, or undefined. Daemons live in sbin, which is not on everybody's PATH. */
export function locate(name: ProgramName): string | undefined {
  const onPath = (process.env['PATH'] ?? '').split(delimiter);
  const folders = [...(programs[name]?.folders?.() ?? []), ...onPath, '/usr/sbin', '/usr/local/sbin'];
  const executables = programs[name]?.executables ?? [];
  return executables.flatMap((file) => folders.map((folder) => join(folder, file))).find(isExecutable);
}

/** For `describe.skipIf(isMissing('name'))`. */
export function isMissing(name: ProgramName): boolean {
  return locate(name) === undefined;
}

export function missingPrograms(): ProgramName[] {
  return (Object.keys(programs) as ProgramName[]).filter(isMissing);
}

export function debianPackages(names: readonly ProgramName[]): string[] {
  return [...new Set(names.flatMap((name) => programs[name]?.debian ?? []))];
}

function run(command: string, args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0;
}

/** Installs Debian packages without questions; false if this user or system can't. */
function installPackages(packages: readonly string[]): boolean {
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const apt = (...args: string[]): boolean => {
    const [command = 'apt-get', ...rest] = [...sudo, 'apt-get', '-qq', ...args];
    return run(command, rest);
  };
  return apt('update') && apt('install', '-y', '--no-install-recommends', ...packages);
}

/** Installs what the suites of this repository need and this machine lacks, if that is possible. */
export function installMissingPrograms(): void {
  const packages = debianPackages(missingPrograms());
  if (packages.length === 0) return;
  console.log(`Installing for the system tests: ${packages.join(', ')}`);
  installPackages(packages);
}
