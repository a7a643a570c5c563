/** Ids beginning so are this profile's own and never reach a program (P 10.6). */
const RESERVED_PREFIX = 'srup.';

export function isReservedDataId(dataId: string): boolean {
  return dataId.startsWith(RESERVED_PREFIX);
}
