/** All rows of the tables of one database, from one place to another. */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Read, Store, Write } from '../store/port.ts';
import { prepareRows } from '../store/rows.ts';
import type { Catalogue, TableForm } from '../store/catalogue.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { waysOf } from '../store/ways.ts';

/** Rows that are read, and written, at one go. */
const PAGE_ROWS = 500;
/** Pages that share a transaction, and so its way to the disk. */
const PAGES_IN_COMMIT = 20;

export type Row = Readonly<Record<string, string | number | null | Uint8Array>>;

/** One table, by its form in a catalogue. */
export interface Table {
  readonly name: string;
  readonly key: string;
  readonly columns: readonly string[];
  readonly form: TableForm<object>;
}

/** What a table holds: how many rows, and a hash of all of them in the order of their keys, page by page. */
export interface Sum {
  readonly rows: number;
  readonly hash: string;
}

/** The tables of a catalogue in its order, which is that in which they can be filled. */
export function tablesOf<Tables>(catalogue: Catalogue<Tables>): readonly Table[] {
  return Object.entries<TableForm<object>>(catalogue as Readonly<Record<string, TableForm<object>>>).map(
    ([name, form]) => {
      const columns = Object.keys(form.columns);
      return { name, key: columns[0] as string, columns, form };
    },
  );
}

export async function countRows<Tables>(read: Read<Tables>, { name }: Table): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(name)}`.execute(read);
  return rows[0]?.n ?? 0;
}

/** The key of a row after which a page begins; undefined: the first page. */
type After = Row[string] | undefined;

/** Reads all rows in the order of their keys, a page at a time. */
export async function* pagesOf<Tables>(
  read: Read<Tables>,
  table: Table,
): AsyncGenerator<readonly Row[], void> {
  for (let after: After; ;) {
    const rows = await readPage(read, table, after);
    if (rows.length > 0) yield rows;
    if (rows.length < PAGE_ROWS) return;
    after = rows.at(-1)?.[table.key];
  }
}

async function readPage<Tables>(
  read: Read<Tables>,
  { name, key, columns }: Table,
  after: After,
): Promise<readonly Row[]> {
  const list = sql.join(columns.map((column) => sql.ref(column)));
  const begin = after === undefined ? sql`true` : sql`${sql.ref(key)} > ${after}`;
  const { rows } = await sql<Row>`select ${list} from ${sql.table(name)} where ${begin}
    order by ${sql.ref(key)} limit ${sql.lit(PAGE_ROWS)}`.execute(read);
  return rows.map(portable);
}

/** A hostile device can send U+0000 in a text. PostgreSQL can't hold it, and the store there never does. */
function portable(row: Row): Row {
  if (!Object.values(row).some((value) => typeof value === 'string' && value.includes('\0'))) return row;
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value,
    ]),
  );
}

/** The rows and the hash of one page. */
export function sumOf(rows: readonly Row[], { columns }: Table): Sum {
  const digest = createHash('sha256');
  for (const row of rows) digest.update(`${JSON.stringify(columns.map((name) => plain(row[name])))}\n`);
  return { rows: rows.length, hash: digest.digest('hex') };
}

/** The sum of a table from those of its pages. */
export function sumOfPages(pages: readonly Sum[]): Sum {
  const digest = createHash('sha256');
  for (const { hash } of pages) digest.update(hash);
  return { rows: pages.reduce((all, { rows }) => all + rows, 0), hash: digest.digest('hex') };
}

function plain(value: Row[string] | undefined): unknown {
  return value instanceof Uint8Array ? [Buffer.from(value).toString('base64')] : value;
}

/**
 * Copies a table, whose rows there go first: a step that makes a table may put some into it. The keys that the database
 * gives go on where they went on in the source.
 */
export async function copyTable<Tables>(
  from: Read<Tables>,
  to: Store<Tables>,
  table: Table,
  onRows: (rows: number) => void,
): Promise<Sum> {
  const { name, key, form } = table;
  const insert = insertInto(table);
  const pages: Sum[] = [];
  if ((await countRows(to.read, table)) > 0)
    await to.commit((write) => sql`delete from ${sql.table(name)}`.execute(write));
  for (let next: Next = { after: undefined }; next !== undefined;) {
    const { after }: { readonly after: After } = next;
    const done: PagesCopied = await to.commit((write) => copyPages(from, write, table, after, insert));
    pages.push(...done.pages);
    onRows(sumOfPages(done.pages).rows);
    next = done.next;
  }
  if (form.isCounted === true) await to.commit((write) => carryKeys(from, write, name, key));
  return sumOfPages(pages);
}

/** Where the next pages begin; undefined: there are none. */
type Next = { readonly after: After } | undefined;

interface PagesCopied {
  readonly pages: readonly Sum[];
  readonly next: Next;
}

/** Copies some pages in one transaction. It may run twice. */
async function copyPages<Tables>(
  from: Read<Tables>,
  write: Write<Tables>,
  table: Table,
  begin: After,
  insert: ReturnType<typeof insertInto>,
): Promise<PagesCopied> {
  const pages: Sum[] = [];
  let after = begin;
  while (pages.length < PAGES_IN_COMMIT) {
    const rows = await readPage(from, table, after);
    await insert(write as unknown as Write<CoreTables>, rows);
    if (rows.length > 0) pages.push(sumOf(rows, table));
    if (rows.length < PAGE_ROWS) return { pages, next: undefined };
    after = rows.at(-1)?.[table.key];
  }
  return { pages, next: { after } };
}

function insertInto({ name, form }: Table) {
  // The statement is the same whatever the table; `events` stands for all of them in its type.
  return prepareRows<Row, unknown>(form.columns, (write, given) =>
    write
      .insertInto(name as 'events')
      .columns(given.columns as 'event'[])
      .expression(given.rows as never),
  );
}

async function carryKeys<Tables>(
  from: Read<Tables>,
  write: Write<Tables>,
  name: string,
  key: string,
): Promise<void> {
  const { rows } = await waysOf(from.getExecutor()).lastKey(name, key).execute(from);
  const last = rows[0]?.last ?? 0;
  if (last === 0) return;
  for (const statement of waysOf(write.getExecutor()).keysAfter(name, key, last))
    await statement.execute(write);
}
