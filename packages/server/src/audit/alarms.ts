import type { Log } from '@srup/node';
import type { Read } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { inspectTrail, type Own } from './inspect.ts';

/** What is wrong with the server's own trail, each found once. */
export interface Alarms {
  /** Inspects the trail. Gives, and logs, what was not found before. */
  findNew(): Promise<readonly string[]>;
  all(): string[];
}

export function createAlarms(
  own: Own,
  witnessFiles: readonly string[],
  { read, log }: { readonly read: Read<CoreTables>; readonly log: Pick<Log, 'error'> },
): Alarms {
  const alarms: string[] = [];
  return {
    findNew: async () => {
      const found = (await inspectTrail(read, own, witnessFiles)).filter((what) => !alarms.includes(what));
      for (const what of found) log.error({ what }, 'the audit trail is not what this server signed');
      alarms.push(...found);
      return found;
    },
    all: () => [...alarms],
  };
}
