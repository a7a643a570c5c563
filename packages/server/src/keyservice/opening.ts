import type { Kysely } from 'kysely';
import type { KeyServiceTables } from './tables.ts';

/** Are registrations taken? They are, until an operator says no. */
export async function isOpen(store: Kysely<KeyServiceTables>): Promise<boolean> {
  const row = await store
    .selectFrom('settings')
    .select('value')
    .where('name', '=', 'registration')
    .executeTakeFirst();
  return row?.value !== 'closed';
}

export async function setOpen(store: Kysely<KeyServiceTables>, wanted: boolean): Promise<void> {
  const value = wanted ? 'open' : 'closed';
  await store
    .insertInto('settings')
    .values({ name: 'registration', value })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
    .execute();
}
