/** The note of a restore: `restoreBackup` leaves it in the database, and the first start acts on it. */
import type { Read, Write } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { readSetting, writeSetting } from '../store/settings.ts';

const NAME = 'restored';

export interface Restore {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** When the backup was made, in milliseconds since 1970. */
  readonly backupOf: number;
  /** Identities that were revoked since, by the list that `srup restore` was given. */
  readonly revoked?: readonly string[];
}

/** Leaves the note for the first start. No server has opened the database yet. */
export async function noteRestore(write: Write<CoreTables>, restore: Restore): Promise<void> {
  await writeSetting(write, NAME, JSON.stringify(restore));
}

/** Finds the note. Undefined: there was no restore, or every device has been asked since. */
export async function findRestore(read: Read<CoreTables>): Promise<Restore | undefined> {
  const value = await readSetting(read, NAME);
  return value === undefined ? undefined : (JSON.parse(value) as Restore);
}

/** Takes the note away: every device has been asked. */
export async function dropRestore(write: Write<CoreTables>): Promise<void> {
  await write.deleteFrom('settings').where('name', '=', NAME).execute();
}
