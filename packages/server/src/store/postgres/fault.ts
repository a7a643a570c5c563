import { DatabaseError } from 'pg';
import { StoreError, StoreFault } from '../fault.ts';

/** Classes of SQLSTATE, and single codes, with which the database itself is in trouble, not what is asked of it. */
const TROUBLE: readonly string[] = [
  '08', // the connection
  '25006', // read only: a standby, after a fail-over
  '25P03', // this process stood still within a transaction
  '25P04', // the transaction took too long
  '28', // it no longer lets us in
  '3D000', // no such database
  '3F000', // no such schema
  '42501', // the right to it is missing
  '42P01', // somebody took the tables away
  '53', // disk full, out of memory, too many connections
  '55', // locked
  '57', // shut down, cancelled
  '58', // a file of its own
  'XX', // damage
];
/** Those of them that last until a person changes something. */
const LASTING: readonly string[] = ['28', '3D000', '3F000', '42501', '42P01', 'XX'];
/** A statement failed because one before it in the transaction did, which says why. */
const AFTERMATH = '25P02';
/** Serialization failure and deadlock: the same transaction can succeed when it runs again. */
const AGAIN: readonly string[] = ['40001', '40P01'];

/** A fault of the database as the rest of the server knows it; what the work itself did wrong is returned as it is. */
export function faultOf(fault: unknown): unknown {
  if (!(fault instanceof Error) || fault instanceof StoreFault || fault instanceof StoreError) return fault;
  if (fault instanceof DatabaseError) {
    return isOneOf(fault, TROUBLE) ? new StoreFault(wordsOf(fault), { cause: fault }) : fault;
  }
  // Whatever else the client throws is about the socket; a wrong value is thrown as TypeError or RangeError.
  if (fault instanceof TypeError || fault instanceof RangeError) return fault;
  return new StoreFault(wordsOf(fault), { cause: fault });
}

/** Tells whether the same transaction should run again. */
export function isWorthRepeating(fault: unknown): boolean {
  return fault instanceof DatabaseError && isOneOf(fault, AGAIN);
}

/** Tells whether a fault only repeats that its transaction had failed. */
export function isAftermath(fault: unknown): boolean {
  return fault instanceof DatabaseError && fault.code === AFTERMATH;
}

/** Tells whether trouble of the database ends by itself, or when it has room again: no person must change a right or a name. */
export function isPassing({ cause }: StoreFault): boolean {
  return !(cause instanceof DatabaseError) || !isOneOf(cause, LASTING);
}

/** The SQLSTATE of a fault, or the code of the operating system. */
export function codeOf(fault: unknown): string | undefined {
  return fault instanceof Error && 'code' in fault && typeof fault.code === 'string' ? fault.code : undefined;
}

/** What a fault says. That of a name with several addresses says nothing itself: each address has a fault of its own. */
export function wordsOf(fault: unknown): string {
  if (fault instanceof AggregateError) return [...new Set(fault.errors.map(wordsOf))].join(', ');
  const { message } = fault as Error;
  return message === '' ? (codeOf(fault) ?? 'unknown reason') : message;
}

function isOneOf({ code = '' }: DatabaseError, codes: readonly string[]): boolean {
  return codes.some((one) => code.startsWith(one));
}
