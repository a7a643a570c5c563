import { IDENTIFICATION_DATA_ID } from '../identify/identification.ts';

/** Ids that begin so belong to this profile and never reach a program (P 10.6). */
const RESERVED_PREFIX = 'srup.';
/** The DATA that names the observer of a proof of presence (P 9.6). */
const OBSERVER_DATA_ID = 'OBSERVER_ID';

/** Tells whether a data id belongs to this profile (P 10.6). */
export function isReservedDataId(dataId: string): boolean {
  return dataId.startsWith(RESERVED_PREFIX);
}

/**
 * Tells whether a program of the device can report under this id. It can never use an id that speaks for the agent (P
 * 10.6, 10.7, 9.6).
 *
 * @example
 * isProgramDataId('temperature'); // true
 * isProgramDataId('srup.outcome'); // false
 */
export function isProgramDataId(dataId: string): boolean {
  return !isReservedDataId(dataId) && dataId !== IDENTIFICATION_DATA_ID && dataId !== OBSERVER_DATA_ID;
}
