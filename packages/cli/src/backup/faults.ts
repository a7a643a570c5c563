import { systemReason } from '../system-reason.ts';
import { UserError } from '../user-error.ts';

/** The errors whose message says what happened and what to do. */
const TOLD = ['BackupError', 'StoreError'];
/** The database is in trouble, or away. */
const TROUBLE = ['StoreFault', 'DatabaseAway', 'OutcomeUnknown'];

/** Runs the work, and turns what a person can solve into a `UserError`. */
export async function told<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (fault) {
    throw explain(fault);
  }
}

function explain(fault: unknown): unknown {
  if (!(fault instanceof Error)) return fault;
  const [what = '', ...todo] = fault.message.split(/(?<=\.) /);
  if (TOLD.includes(fault.name)) return new UserError(what, todo.join(' '));
  if (TROUBLE.includes(fault.name)) {
    return new UserError(
      `the database can't be used: ${fault.message}`,
      'Check that it runs, that it can be reached from here, and that no disk is full. Then run this again.',
    );
  }
  if ('syscall' in fault) {
    const { path = 'a file' } = fault as NodeJS.ErrnoException;
    return new UserError(
      `${path} can't be used: ${systemReason(fault)}`,
      'Check the path, your rights to it, and the disk.',
    );
  }
  return fault;
}
