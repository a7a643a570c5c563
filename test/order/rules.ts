/**
 * The order of the sources, as four rules. Each gives a text for everything that breaks it, with the lines to look at.
 *
 * 1. No circle between files.
 * 2. No circle inside a folder of a package. What lies directly in a folder, its files and its subfolders, has an
 *    order: an import leads from an earlier one to a later one. An import between two files counts in the folder that
 *    holds both, at whatever depth they are below it. So `src/http/` may import `src/clock.ts`, and `src/server.ts`
 *    may import `src/http/`; but when `src/clock.ts` or a folder that it uses imports `src/http/`, that is a circle.
 * 3. A folder has at most `MOST_FILES` product files.
 * 4. Packages: cli -> { server, agent } -> node -> protocol -> nothing, by the name of the package.
 *
 * Imports for types count like all others: whoever reads a file follows them. Tests are not product; files of
 * `testing/` folders are, but for rule 3.
 */
import { posix } from 'node:path';
import { Graph, type Step } from './circles.ts';
import { readImports, type Import, type Tree } from './imports.ts';

export const MOST_FILES = 15;
/** Imports that are named for each step of a circle. */
const MOST_NAMED = 5;

/** What each package may import, by folder and name. */
const PACKAGES: Readonly<Record<string, { readonly name: string; readonly uses: readonly string[] }>> = {
  cli: { name: 'srup', uses: ['server', 'agent', 'node', 'protocol'] },
  server: { name: '@srup/server', uses: ['node', 'protocol'] },
  agent: { name: '@srup/agent', uses: ['node', 'protocol'] },
  node: { name: '@srup/node', uses: ['protocol'] },
  protocol: { name: '@srup/protocol', uses: [] },
};

/** What breaks a rule in this tree, as texts for people; empty when all is in order. */
export function disorder(tree: Tree): string[] {
  const imports = readImports(tree);
  return [
    ...circlesOfFiles(imports),
    ...circlesOfFolders(imports),
    ...crowdedFolders(tree),
    ...wrongDirections(imports),
  ];
}

function circlesOfFiles(imports: readonly Import[]): string[] {
  const graph = new Graph<Import>();
  for (const found of imports) graph.add(found.from, found.to, found);
  return graph.takeCircles().map((circle) => told('Circle of files', '', circle));
}

function circlesOfFolders(imports: readonly Import[]): string[] {
  const inside = new Map<string, Graph<Import>>();
  for (const found of imports) {
    const place = packageSource(found.from);
    if (place === undefined || place !== packageSource(found.to)) continue;
    const { folder, from, to } = meeting(found);
    const graph = inside.get(folder) ?? new Graph();
    inside.set(folder, graph);
    // Two files of one folder are the business of rule 1.
    if (from !== to) graph.add(from, to, found);
  }
  return [...inside].flatMap(([folder, graph]) =>
    graph
      .takeCircles()
      .filter((circle) => circle.some(({ from }) => from.endsWith('/')))
      .map((circle) => told('Circle of folders', ` in ${folder}/`, circle)),
  );
}

/** The folder that holds both files, and what of it each is or lies in; a folder's name ends with a slash. */
function meeting({ from, to }: Import): { folder: string; from: string; to: string } {
  const [ours, theirs] = [from.split('/'), to.split('/')];
  const depth = ours.findIndex((part, index) => part !== theirs[index]);
  const entry = (parts: readonly string[]) => `${parts[depth] ?? ''}${parts.length > depth + 1 ? '/' : ''}`;
  return { folder: ours.slice(0, depth).join('/'), from: entry(ours), to: entry(theirs) };
}

function told(what: string, where: string, circle: readonly Step<Import>[]): string {
  const way = [...circle.map(({ from }) => from), circle[0]?.from].join(' -> ');
  const steps = circle.flatMap(({ from, to, ties }) => [
    `  ${from} -> ${to}`,
    ...ties.slice(0, MOST_NAMED).map((tie) => `    ${tie.from}:${tie.line} imports ${tie.to}`),
    ...(ties.length > MOST_NAMED ? [`    and ${ties.length - MOST_NAMED} more`] : []),
  ]);
  return [`${what}${where}: ${way}`, ...steps].join('\n');
}

function crowdedFolders(tree: Tree): string[] {
  const files = new Map<string, string[]>();
  for (const path of tree.keys()) {
    const folder = posix.dirname(path);
    if (packageSource(path) === undefined || `/${folder}/`.includes('/testing/')) continue;
    files.set(folder, [...(files.get(folder) ?? []), posix.basename(path)]);
  }
  return [...files]
    .filter(([, names]) => names.length > MOST_FILES)
    .map(
      ([folder, names]) =>
        `${folder}/ has ${names.length} product files, ${MOST_FILES} at the most: ${names.sort().join(', ')}`,
    );
}

function wrongDirections(imports: readonly Import[]): string[] {
  return imports.flatMap(({ from, line, to }) => {
    const [ours, theirs] = [packageSource(from), packageSource(to) ?? packageNamed(to)];
    if (ours === undefined || theirs === undefined) return [];
    const isOwnFile = ours === theirs && packageNamed(to) === undefined;
    if (isOwnFile || PACKAGES[ours]?.uses.includes(theirs) === true) return [];
    return [`${from}:${line} imports ${to}: ${ours} may not import ${theirs}`];
  });
}

/** The folder of the package that a source file belongs to. */
function packageSource(path: string): string | undefined {
  return /^packages\/([^/]+)\/src\//.exec(path)?.[1];
}

function packageNamed(specifier: string): string | undefined {
  return Object.keys(PACKAGES).find((folder) => {
    const name = PACKAGES[folder]?.name ?? '';
    return specifier === name || specifier.startsWith(`${name}/`);
  });
}
