/** What an attacker with the database, and perhaps the server's key, can do to its audit trail. */
import { PostgresAdapter, sql, type Kysely } from 'kysely';
import {
  checkpointText,
  contentHash,
  encodeText,
  linkHash,
  NO_LINK,
  readCheckpoint,
  toHex,
  type SignKey,
} from '@srup/protocol';
import { sha256 } from '../../src/chain/hash.ts';
import type { CoreTables } from '../../src/store/schema/tables.ts';

export type Broken = Kysely<CoreTables>;

/** Takes away the triggers that keep the program from mistakes. */
export async function breakIn(database: Broken): Promise<void> {
  const isPostgres = database.getExecutor().adapter instanceof PostgresAdapter;
  const drops = isPostgres
    ? ['drop trigger audit_no_change on audit']
    : ['drop trigger audit_no_update', 'drop trigger audit_no_delete'];
  for (const drop of drops) await sql.raw(drop).execute(database);
}

/** Puts another word for one that was written down, in one entry or in all. */
export async function edit(
  database: Broken,
  seq?: number,
  [from, to]: readonly [string, string] = ['night', 'early'],
): Promise<void> {
  await database
    .updateTable('audit')
    .set({ body: sql`replace(body, ${from}, ${to})` })
    .$if(seq !== undefined, (query) => query.where('seq', '=', seq ?? 0))
    .execute();
}

/** Cuts off what came after this entry. */
export async function cutAfter(database: Broken, seq: number): Promise<void> {
  await database.deleteFrom('audit').where('seq', '>', seq).execute();
}

/** Rebuilds places, hashes and signatures from what is in the database now, so that the history contradicts nowhere. */
export async function rebuild(database: Broken, key: SignKey): Promise<void> {
  const rows = await database.selectFrom('audit').selectAll().orderBy('seq').execute();
  const checkpoints = await database.selectFrom('audit_checkpoints').selectAll().orderBy('seq').execute();
  await database.deleteFrom('audit').execute();
  await database.deleteFrom('audit_checkpoints').execute();
  let hash = NO_LINK;
  const hashes: string[] = [];
  for (const [index, row] of rows.entries()) {
    const seq = index + 1;
    hash = linkHash(hash, contentHash({ ...row, seq }, sha256), sha256);
    hashes.push(hash);
    await database
      .insertInto('audit')
      .values({ ...row, seq, hash })
      .execute();
  }
  let previous = '';
  let last = 0;
  for (const { text: known } of checkpoints) {
    const read = readCheckpoint(known);
    const seq = Math.min(read?.seq ?? 0, rows.length);
    if (read === undefined || seq <= last) continue;
    last = seq;
    const text = checkpointText({ ...read, seq, hash: hashes[seq - 1] ?? '', previous });
    const signature = toHex(key.sign(encodeText(text)));
    await database.insertInto('audit_checkpoints').values({ seq, at: read.at, text, signature }).execute();
    previous = sha256(text);
  }
}
