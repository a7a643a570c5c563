import type { NewAuditEntry } from '@srup/protocol';
import type { DeviceRow } from '../store/schema/devices.ts';

/** The entry of a device that is stored for the first time: its messages are verified with this key from now on. */
export function deviceEntry(row: DeviceRow, at: number): NewAuditEntry {
  const { id, type, suite, public_pem: key, seal_pem: sealKey } = row;
  return { kind: 'device', at, device: id, body: { type, suite, key, ...(sealKey !== null && { sealKey }) } };
}
