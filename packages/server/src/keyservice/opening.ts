import type { Caller } from '@srup/protocol';
import { addKeyEvent } from './events.ts';
import { prepare } from '../store/prepared.ts';
import type { KeyServiceTables } from './tables.ts';
import type { Read, Store } from '../store/port.ts';

const selectSetting = prepare((read: Read<KeyServiceTables>, p: { readonly name: 'registration' }) =>
  read.selectFrom('settings').select('value').where('name', '=', p.name),
);

/** Does the service take registrations? It does until an operator closes it. */
export async function isOpen(store: Read<KeyServiceTables>): Promise<boolean> {
  const { rows } = await selectSetting(store, { name: 'registration' });
  return rows[0]?.value !== 'closed';
}

/** Opens or closes the service. `at`: ms since 1970. */
export async function setOpen(
  store: Store<KeyServiceTables>,
  wanted: boolean,
  at: number,
  by: Caller,
): Promise<void> {
  const value = wanted ? 'open' : 'closed';
  await store.commit(async (write) => {
    await write
      .insertInto('settings')
      .values({ name: 'registration', value })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
      .execute();
    await addKeyEvent(write, { kind: 'registration', at, body: { open: wanted, by } });
  });
}
