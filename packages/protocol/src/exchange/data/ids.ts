import { IDENTIFICATION_DATA_ID } from '../identify/identification.ts';

/** Ids beginning so are this profile's own and never reach a program (P 10.6). */
const RESERVED_PREFIX = 'srup.';
/** Names who observes a proof of presence (P 9.6). */
const OBSERVER_DATA_ID = 'OBSERVER_ID';

export function isReservedDataId(dataId: string): boolean {
  return dataId.startsWith(RESERVED_PREFIX);
}

/** May a program of the device report under this id? Never under one that speaks for the agent (P 10.6, 10.7, 9.6). */
export function isProgramDataId(dataId: string): boolean {
  return !isReservedDataId(dataId) && dataId !== IDENTIFICATION_DATA_ID && dataId !== OBSERVER_DATA_ID;
}
