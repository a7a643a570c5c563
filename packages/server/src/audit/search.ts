import type { AuditEntryView, AuditQuery } from '../api/forms/audit.ts';
import type { Page } from '../api/forms/pages.ts';
import { limitOf, placeOf } from '../api/paging.ts';
import { entryHead } from './entry-head.ts';
import { headOf } from '../chain/head.ts';
import type { AuditRow } from '../store/schema/audit.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import type { Read } from '../store/port.ts';
import { contains } from '../store/search.ts';

/** Entries that one request searches. The rest is on the next page. */
const SEARCHED_AT_ONCE = 50_000;

/** Finds entries, newest first. A page can have fewer rows than its limit and still have a next page. */
export async function searchTrail(store: Read<CoreTables>, query: AuditQuery): Promise<Page<AuditEntryView>> {
  const { device, kind, text, since, until } = query;
  const limit = limitOf(query);
  const before = query.cursor === undefined ? (await headOf(store)).seq + 1 : placeOf(query.cursor);
  const from = Math.max(1, before - SEARCHED_AT_ONCE);
  let select = store
    .selectFrom('audit')
    .selectAll()
    .where('seq', '<', before)
    .where('seq', '>=', from)
    .orderBy('seq', 'desc')
    .limit(limit);
  if (device !== undefined) select = select.where('device', '=', device);
  if (kind !== undefined) select = select.where('kind', '=', kind);
  if (since !== undefined) select = select.where('at', '>=', since);
  if (until !== undefined) select = select.where('at', '<', until);
  if (text !== undefined) {
    select = select.where((where) =>
      where.or([contains(where.ref('body'), text), contains(where.ref('device'), text)]),
    );
  }
  const rows = await select.execute();
  const end = rows.length === limit ? (rows.at(-1)?.seq ?? 1) : from;
  return { rows: rows.map(view), ...(end > 1 && { next: String(end) }) };
}

function view(row: AuditRow): AuditEntryView {
  return { ...entryHead(row), body: JSON.parse(row.body) as AuditEntryView['body'] };
}
