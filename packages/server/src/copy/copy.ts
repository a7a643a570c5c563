/** Copies all that a server knows from one pair of databases to another, and checks the copy. */
import { KEY_CATALOGUE } from '../keyservice/catalogue.ts';
import type { KeyServiceTables } from '../keyservice/tables.ts';
import { StoreError } from '../store/fault.ts';
import type { Read, Store } from '../store/port.ts';
import { CORE_CATALOGUE, type Catalogue } from '../store/catalogue.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import {
  copyTable,
  countRows,
  pagesOf,
  sumOf,
  sumOfPages,
  tablesOf,
  type Row,
  type Sum,
  type Table,
} from './tables.ts';
import { Following, type TrailEnd } from './trail.ts';

/** Both databases of a server as they are at one moment: nobody writes to them, or what they write is not seen. */
export interface Source {
  readonly core: Read<CoreTables>;
  readonly keys: Read<KeyServiceTables>;
}

export interface Target {
  readonly core: Store<CoreTables>;
  readonly keys: Store<KeyServiceTables>;
}

export type CopyPhase = 'copy' | 'compare';
/** Is told of rows that were copied, or compared. */
export type CopyMeter = (doing: CopyPhase, done: number, total: number) => void;

export interface Copied {
  readonly tables: number;
  readonly rows: number;
  readonly trail: TrailEnd;
}

/**
 * Copies all rows of all tables, and then reads the copy: each table must have as many rows as its source, and the same
 * ones. Rejects with `StoreError` when they differ. A trail that was broken in the source is broken in the copy, and
 * the result says so.
 */
export async function copyAll(
  from: Source,
  to: Target,
  onProgress: CopyMeter = () => undefined,
): Promise<Copied> {
  const [core, keys] = [tablesOf(CORE_CATALOGUE), tablesOf(KEY_CATALOGUE)];
  const expected = await Promise.all([countAll(from.core, core), countAll(from.keys, keys)]);
  const total = expected.flat().reduce((sum, rows) => sum + rows, 0);
  const meter = (doing: CopyPhase) => {
    let done = 0;
    return (rows: number): void => {
      onProgress(doing, (done += rows), total);
    };
  };
  const copying = meter('copy');
  const sums = [
    await copyDatabase(from.core, to.core, CORE_CATALOGUE, copying),
    await copyDatabase(from.keys, to.keys, KEY_CATALOGUE, copying),
  ];
  const comparing = meter('compare');
  const trail = await Following.begin(to.core.read);
  const found = [
    await sumAll(to.core.read, core, comparing, (table, rows) => {
      if (table.name === 'audit') trail.add(rows);
    }),
    await sumAll(to.keys.read, keys, comparing),
  ];
  compare([...core, ...keys], expected.flat(), sums.flat(), found.flat());
  return { tables: core.length + keys.length, rows: total, trail: trail.end() };
}

async function countAll<Tables>(read: Read<Tables>, tables: readonly Table[]): Promise<readonly number[]> {
  const counts: number[] = [];
  for (const table of tables) counts.push(await countRows(read, table));
  return counts;
}

async function copyDatabase<Tables>(
  from: Read<Tables>,
  to: Store<Tables>,
  catalogue: Catalogue<Tables>,
  onRows: (rows: number) => void,
): Promise<readonly Sum[]> {
  const sums: Sum[] = [];
  for (const table of tablesOf(catalogue)) sums.push(await copyTable(from, to, table, onRows));
  return sums;
}

async function sumAll<Tables>(
  read: Read<Tables>,
  tables: readonly Table[],
  onRows: (rows: number) => void,
  look: (table: Table, rows: readonly Row[]) => void = () => undefined,
): Promise<readonly Sum[]> {
  const sums: Sum[] = [];
  for (const table of tables) {
    const pages: Sum[] = [];
    for await (const rows of pagesOf(read, table)) {
      pages.push(sumOf(rows, table));
      look(table, rows);
      onRows(rows.length);
    }
    sums.push(sumOfPages(pages));
  }
  return sums;
}

function compare(
  tables: readonly Table[],
  expected: readonly number[],
  copied: readonly Sum[],
  found: readonly Sum[],
): void {
  for (const [index, { name }] of tables.entries()) {
    const [there, sum, here] = [expected[index], copied[index], found[index]];
    if (sum?.rows === there && here?.rows === sum?.rows && here?.hash === sum?.hash) continue;
    throw new StoreError(
      `The copy differs from its source in the table "${name}": it has ${here?.rows ?? 0} rows, and the source ${there ?? 0}. ` +
        'Nothing uses the copy. Make sure that nobody else writes to either database, and run it again.',
    );
  }
}
