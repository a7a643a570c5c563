// What the build scripts know about the packages in this repository.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
}

export interface Workspace {
  /** Folder name, unique: `protocol`, `cli`. */
  readonly id: string;
  readonly folder: string;
  readonly manifest: Manifest;
}

export const root = fileURLToPath(new URL('..', import.meta.url));

export function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** Every package that is not marked private. */
export function publishableWorkspaces(): Workspace[] {
  return globSync('packages/*/package.json', { cwd: root })
    .sort()
    .map((file) => {
      const folder = join(root, dirname(file));
      return { id: basename(folder), folder, manifest: readJson(join(folder, 'package.json')) as Manifest };
    })
    .filter(({ manifest }) => manifest.private !== true);
}

/** What only the tests of this repository import: the export and its folder stay here. */
const UNPUBLISHED: readonly string[] = ['@srup/node/testing'];

/** The exports of a package, key and source file, that are published; and those that are not. */
export function exportsOf({ name, exports }: Manifest): {
  readonly published: readonly (readonly [key: string, source: string])[];
  readonly unpublished: readonly (readonly [key: string, source: string])[];
} {
  const all = Object.entries(exports);
  const isPublished = (key: string) => !UNPUBLISHED.includes(`${name}${key.slice(1)}`);
  return {
    published: all.filter(([key]) => isPublished(key)),
    unpublished: all.filter(([key]) => !isPublished(key)),
  };
}

/** Where npm installed a dependency of this workspace: next to it, or hoisted to the root. */
export function installedFolder(workspace: Workspace, dependency: string): string {
  const nested = join(workspace.folder, 'node_modules', dependency);
  return existsSync(nested) ? nested : join(root, 'node_modules', dependency);
}
