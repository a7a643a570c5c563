// Checks that package-lock.json installs anywhere: complete, free of registry hosts, every package pinned by hash,
// and no install script that nobody has approved.
import { readFileSync } from 'node:fs';

interface LockEntry {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly inBundle?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const INSTALLED = 'node_modules/';

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'));
}

const lock = readJson('package-lock.json') as { packages: Partial<Record<string, LockEntry>> };
const { allowScripts = {} } = readJson('package.json') as { allowScripts?: Partial<Record<string, boolean>> };

/** Whether a package at `from` finds `name` in a folder above it. */
function resolves(from: string, name: string): boolean {
  const folders = from.split('/').map((_, index, parts) => `${parts.slice(0, index + 1).join('/')}/`);
  return ['', ...folders].some((folder) => lock.packages[`${folder}${INSTALLED}${name}`] !== undefined);
}

function missingDependencies(path: string, entry: LockEntry): string[] {
  const {
    dependencies = {},
    optionalDependencies = {},
    peerDependencies = {},
    peerDependenciesMeta = {},
  } = entry;
  const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
  // Optional dependencies count: `npm ci` refuses a lock that lacks another platform's package.
  const wanted = [...Object.keys(dependencies), ...Object.keys(optionalDependencies), ...peers];
  return wanted.filter((name) => !resolves(path, name));
}

function problemsOf(path: string, entry: LockEntry): string[] {
  const problems = missingDependencies(path, entry).map((name) => `needs ${name}, which the lock lacks`);
  if (entry.resolved?.includes(':') === true) problems.push(`holds an address: ${entry.resolved}`);
  const fromRegistry = path.includes(INSTALLED) && entry.link !== true && entry.inBundle !== true;
  if (fromRegistry && entry.integrity?.startsWith('sha512-') !== true)
    problems.push('has no sha512 integrity');
  const name = path.slice(path.lastIndexOf(INSTALLED) + INSTALLED.length);
  if (entry.hasInstallScript === true && entry.optional !== true && allowScripts[name] !== true) {
    problems.push('runs an install script that "allowScripts" in package.json does not list');
  }
  return problems.map((problem) => `${path === '' ? '(root)' : path}: ${problem}`);
}

const problems = Object.entries(lock.packages).flatMap(([path, entry = {}]) => problemsOf(path, entry));
if (problems.length > 0) {
  console.error(problems.join('\n'));
  console.error(
    '\npackage-lock.json is not fit to ship. Fix or pin the packages above, run `npm install`, and check again.',
  );
  process.exit(1);
}
console.log(`package-lock.json: ${Object.keys(lock.packages).length} entries, complete`);
