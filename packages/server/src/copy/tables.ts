/** All rows of the tables of one database, from one place to another. */
import { createHash, type Hash } from 'node:crypto';
import { sql } from 'kysely';
import type { Read, Store, Write } from '../store/port.ts';
import { prepareRows } from '../store/rows.ts';
import type { Catalogue, TableForm } from '../store/catalogue.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { waysOf } from '../store/ways.ts';

/** Rows that are read, and written, at one go. */
const PAGE_ROWS = 500;

export type Row = Readonly<Record<string, string | number | null | Uint8Array>>;

/** One table, by its form in a catalogue. */
export interface Table {
  readonly name: string;
  readonly key: string;
  readonly columns: readonly string[];
  readonly form: TableForm<object>;
}

/** What a table holds: how many rows, and a hash of all of them in the order of their keys. */
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

/** Reads all rows in the order of their keys, a page at a time. */
export async function* pagesOf<Tables>(
  read: Read<Tables>,
  { name, key, columns }: Table,
): AsyncGenerator<readonly Row[], void> {
  const list = sql.join(columns.map((column) => sql.ref(column)));
  for (let last: Row[string] | undefined; ;) {
    const after = last === undefined ? sql`true` : sql`${sql.ref(key)} > ${last}`;
    const { rows } = await sql<Row>`select ${list} from ${sql.table(name)} where ${after}
      order by ${sql.ref(key)} limit ${sql.lit(PAGE_ROWS)}`.execute(read);
    if (rows.length > 0) yield rows.map(portable);
    if (rows.length < PAGE_ROWS) return;
    last = rows.at(-1)?.[key];
  }
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

/** Sums up rows as they pass by. */
export class Summing {
  readonly #columns: readonly string[];
  readonly #hash: Hash = createHash('sha256');
  #rows = 0;

  constructor({ columns }: Table) {
    this.#columns = columns;
  }

  add(rows: readonly Row[]): void {
    this.#rows += rows.length;
    for (const row of rows)
      this.#hash.update(`${JSON.stringify(this.#columns.map((name) => plain(row[name])))}\n`);
  }

  end(): Sum {
    return { rows: this.#rows, hash: this.#hash.digest('hex') };
  }
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
  const sum = new Summing(table);
  if ((await countRows(to.read, table)) > 0)
    await to.commit((write) => sql`delete from ${sql.table(name)}`.execute(write));
  for await (const rows of pagesOf(from, table)) {
    sum.add(rows);
    await to.commit((write) => insert(write as unknown as Write<CoreTables>, rows));
    onRows(rows.length);
  }
  if (form.isCounted === true) await to.commit((write) => carryKeys(from, write, name, key));
  return sum.end();
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
