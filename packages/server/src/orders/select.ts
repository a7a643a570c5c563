import type { Standing } from '@srup/protocol';
import { FleetError } from '../api/faults.ts';
import type { Selection } from '../api/forms/orders.ts';
import type { Read } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Devices that one query reads. */
const PAGE = 5_000;
const COMMANDABLE: Standing = 'joined';

/**
 * Finds the devices that a selection means, each once. Rejects with FleetError when it means none.
 *
 * @example
 * await selectDevices(store.read, { type: 'pump' }); // ['27ab54d670b64be2', ...]
 */
export async function selectDevices(
  read: Read<CoreTables>,
  { devices, type }: Selection,
): Promise<readonly string[]> {
  if (devices !== undefined) return [...new Set(devices)];
  const chosen: string[] = [];
  for (let isLast = false; !isLast;) {
    let select = read
      .selectFrom('devices')
      .select('id')
      .where('standing', '=', COMMANDABLE)
      .orderBy('id')
      .limit(PAGE);
    if (type !== undefined) select = select.where('type', '=', type);
    const last = chosen.at(-1);
    if (last !== undefined) select = select.where('id', '>', last);
    const rows = await select.execute();
    for (const { id } of rows) chosen.push(id);
    isLast = rows.length < PAGE;
  }
  if (chosen.length > 0) return chosen;
  const ofType = type === undefined ? '' : `of the type "${type}" `;
  throw new FleetError('not-found', `no joined device ${ofType}is known`);
}
