import { join } from 'node:path';
import type { DeviceState } from '@srup/protocol';
import { homeAt } from '../ground/home.ts';
import { realDisk } from '../vault/disk.ts';
import { readIdentity, type DeviceIdentity } from '../vault/identity.ts';
import { replayJournal } from '../vault/journal.ts';
import { readLeft } from '../vault/left.ts';

/** What the files of an agent say while it does not run. */
export interface StoredStatus {
  /** As in `AgentStatus`; `enrolling`: it was never registered, or not to the end. */
  readonly phase: 'enrolling' | 'unregistered' | DeviceState['join']['phase'];
  readonly identity?: DeviceIdentity;
}

/** Reads the files and writes nothing. `AgentError` or `JournalDamage` when they can't be read. */
export async function readStoredStatus(folder: string): Promise<StoredStatus> {
  const home = homeAt(folder);
  if ((await readLeft(home)) !== undefined) return { phase: 'unregistered' };
  const identity = await readIdentity(home);
  if (identity === undefined) return { phase: 'enrolling' };
  const bytes = await realDisk.read(join(home.state, 'journal'));
  const stored = bytes === undefined ? undefined : replayJournal(bytes).values.get('join');
  const phase = (stored as DeviceState['join'] | undefined)?.phase ?? 'idle';
  return { phase, identity };
}
