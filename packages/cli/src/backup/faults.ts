import { UserError } from '../user-error.ts';

/** Names of the errors that say themselves what happened and what to do. */
const TOLD = ['BackupError', 'StoreError'];

/** Runs the work; what a person can put right becomes a `UserError`. */
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
  if ('syscall' in fault)
    return new UserError(fault.message, 'Check the path, your rights to it, and the disk.');
  return fault;
}
