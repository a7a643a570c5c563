import { StoreFault } from '../fault.ts';

/** SQLite's SQLITE_CONSTRAINT, the low byte of its codes: what was to be stored is wrong, and always will be. */
const CONSTRAINT = 19;

/** A fault of the database as the rest of the server knows it; what the work itself did wrong is returned as it is. */
export function faultOf(fault: unknown): unknown {
  if (!(fault instanceof Error) || !('code' in fault)) return fault;
  const isClosed = fault.code === 'ERR_INVALID_STATE';
  const isBroken = fault.code === 'ERR_SQLITE_ERROR' && !isConstraint(fault);
  return isClosed || isBroken ? new StoreFault(fault.message, { cause: fault }) : fault;
}

function isConstraint(fault: Error): boolean {
  return 'errcode' in fault && typeof fault.errcode === 'number' && (fault.errcode & 0xff) === CONSTRAINT;
}
