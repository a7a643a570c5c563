/** The rows of artifacts: what the list shows. */
import type { Caller } from '@srup/protocol';
import { appendAudit } from '../chain/append.ts';
import type { ArtifactView } from '../api/forms/artifacts.ts';
import type { Page, PageQuery } from '../api/forms/pages.ts';
import { limitOf, placeOf } from '../api/paging.ts';
import type { Read, Write } from '../store/port.ts';
import type { ArtifactRow } from '../store/schema/artifacts.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { contains } from '../store/search.ts';

export type ArtifactQuery = PageQuery & { readonly search?: string | undefined };

/** Adds a row with its audit entry. The same content under another name or version replaces both. */
export async function addRow(write: Write<CoreTables>, row: ArtifactRow, by: Caller): Promise<void> {
  const { digest, name, version, uploaded_at: at } = row;
  await write
    .insertInto('artifacts')
    .values(row)
    .onConflict((conflict) => conflict.column('digest').doUpdateSet({ name, version }))
    .execute();
  const body = { change: 'added', digest, name, ...(version !== null && { version }), by } as const;
  await appendAudit(write, { kind: 'artifact', at, body });
}

/** Removes a row, and appends its audit entry. False: there was none. */
export async function removeRow(
  write: Write<CoreTables>,
  digest: string,
  at: number,
  by: Caller,
): Promise<boolean> {
  const { numDeletedRows } = await write
    .deleteFrom('artifacts')
    .where('digest', '=', digest)
    .executeTakeFirst();
  if (numDeletedRows === 0n) return false;
  await appendAudit(write, { kind: 'artifact', at, body: { change: 'removed', digest, by } });
  return true;
}

export async function findRow(read: Read<CoreTables>, digest: string): Promise<ArtifactView | undefined> {
  const row = await read.selectFrom('artifacts').selectAll().where('digest', '=', digest).executeTakeFirst();
  return row && viewArtifact(row);
}

/** Lists artifacts, the newest first. */
export async function listRows(read: Read<CoreTables>, query: ArtifactQuery): Promise<Page<ArtifactView>> {
  const { cursor, search } = query;
  const limit = limitOf(query);
  const offset = cursor === undefined ? 0 : placeOf(cursor);
  let select = read
    .selectFrom('artifacts')
    .selectAll()
    .orderBy('uploaded_at', 'desc')
    .orderBy('digest')
    .limit(limit + 1)
    .offset(offset);
  if (search !== undefined) {
    select = select.where((where) =>
      where.or((['name', 'version', 'digest'] as const).map((column) => contains(where.ref(column), search))),
    );
  }
  const found = await select.execute();
  const rows = found.slice(0, limit).map(viewArtifact);
  return found.length > limit ? { rows, next: String(offset + limit) } : { rows };
}

export function viewArtifact({ digest, bytes, name, version, uploaded_at }: ArtifactRow): ArtifactView {
  return { digest, bytes, name, uploadedAt: uploaded_at, ...(version !== null && { version }) };
}
