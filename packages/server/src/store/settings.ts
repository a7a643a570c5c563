/** Single facts in the table `settings`, by name. */
import type { Read, Write } from './port.ts';
import type { CoreTables } from './schema/tables.ts';

export async function readSetting(
  source: Read<CoreTables> | Write<CoreTables>,
  name: string,
): Promise<string | undefined> {
  const row = await source.selectFrom('settings').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value;
}

/** Adds the fact, or replaces it. */
export async function writeSetting(write: Write<CoreTables>, name: string, value: string): Promise<void> {
  await write
    .insertInto('settings')
    .values({ name, value })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
    .execute();
}
