import type { Caller } from '@srup/protocol';
import { FleetError } from '../api/faults.ts';
import { LONGEST_NAME, type DeviceView } from '../api/forms/devices.ts';
import { viewDevice } from '../news/views.ts';
import { beginChange, setRow } from '../turn/change.ts';
import { deviceOwner } from '../turn/owner.ts';
import type { TurnPorts } from '../turn/ports.ts';

/** A name like this could be taken for the id of another device. Only one id in 65,536 is shorter. */
const LIKE_AN_ID = /^[0-9a-f]{13,16}$/i;

/**
 * Names a device. Rejects with FleetError for a name that is not allowed, or a device that is not known.
 *
 * @example
 * await rename('27ab54d670b64be2', 'Pump 7', by);
 */
export type Rename = (device: string, name: string, by: Caller) => Promise<DeviceView>;

/**
 * Makes what names devices.
 *
 * @example
 * const { name } = await createRename(turn)('27ab54d670b64be2', 'Pump 7', by);
 */
export function createRename({ records, lanes, save, clock }: TurnPorts): Rename {
  async function rename(device: string, name: string, by: Caller): Promise<DeviceView> {
    const record = await records.find(device);
    if (record === undefined) throw new FleetError('not-found', `no device ${device} is known`);
    const change = beginChange(record, clock.now());
    setRow(change, { name });
    change.entries.push({ kind: 'name', at: change.at, device, body: { name, by } });
    await save(change);
    return viewDevice({ ...change.record.row, proven_at: record.provenAt });
  }

  return async (device, name, by) => {
    const wanted = name.trim();
    checkName(wanted);
    return lanes.run(deviceOwner(device), () => rename(device, wanted, by));
  };
}

function checkName(name: string): void {
  if (name.length === 0 || name.length > LONGEST_NAME || /\p{Cc}/u.test(name))
    throw new FleetError('invalid', `a name has 1 to ${LONGEST_NAME} printable characters`);
  if (LIKE_AN_ID.test(name))
    throw new FleetError('invalid', 'a name must not look like the id of a device (13 to 16 hex digits)');
}
