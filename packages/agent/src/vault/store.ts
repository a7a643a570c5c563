import type { Log } from '@srup/node';
import { AgentError, reasonOf } from '../ground/trouble.ts';
import type { Disk, Extension } from './disk.ts';
import { encodeCommit, JournalDamage, replayJournal, type Changes, type Value } from './journal.ts';

/** A commit did not reach the disk, and nothing changed (EFFECT_STORE). */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/** What the agent must not forget: a map that commits change. A commit costs the same whatever the map holds. */
export interface Store {
  get(key: string): Value | undefined;
  /** All keys that begin with `prefix`, without it, and their values. It looks at every key: use it at the start only. */
  under(prefix: string): [string, Value][];
  /**
   * Makes all changes together, durable when it resolves. `StoreError`: none of them, in memory neither. One at a time.
   */
  commit(changes: Changes): Promise<void>;
}

/** A store that holds a file open. */
export interface OpenStore extends Store {
  /** Call it when no commit runs. Another commit would open the file again. */
  close(): Promise<void>;
}

/** Bytes that the journal grows by before it is written anew: so that is rare, however much it holds. */
const COMPACT_BYTES = 2 ** 20;

/**
 * Opens or begins the journal at `path`. `AgentError` when it is damaged: then nothing is changed.
 *
 * @example
 * const store = await openStore(join(home.state, 'journal'), realDisk, log);
 * await store.commit(new Map([['join', { phase: 'joined' }]]));
 */
export async function openStore(path: string, disk: Disk, log: Log): Promise<OpenStore> {
  const bytes = await disk.read(path);
  const replayed = bytes === undefined ? undefined : replay(path, bytes);
  const values = replayed?.values ?? new Map<string, Value>();
  let commits = replayed?.commits ?? 0;
  let size = bytes?.length ?? 0;
  let compactAt = COMPACT_BYTES;
  // A write that failed can have left anything behind: then the next commit writes everything.
  let unsure = replayed === undefined || replayed.torn;
  let busy = false;
  let end: Extension | undefined;

  async function close(): Promise<void> {
    const open = end;
    end = undefined;
    await open?.close();
  }

  async function rewrite(state: ReadonlyMap<string, Value>): Promise<void> {
    const whole = encodeCommit(0, state);
    unsure = true;
    await close(); // the file that it leads to is about to lose its name
    await disk.replace(path, whole);
    unsure = false;
    commits = 1;
    size = whole.length;
    compactAt = COMPACT_BYTES + size;
  }

  async function append(changes: Changes): Promise<void> {
    const line = encodeCommit(commits, changes);
    unsure = true;
    end ??= await disk.extend(path);
    await end.append(line);
    unsure = false;
    commits++;
    size += line.length;
  }

  async function compact(): Promise<void> {
    try {
      await rewrite(values);
    } catch (error) {
      log.warn(
        { path, reason: reasonOf(error) },
        'the state could not be written anew; it is complete all the same',
      );
    }
  }

  async function commit(changes: Changes): Promise<void> {
    if (busy) throw new TypeError('one commit at a time');
    busy = true;
    try {
      if (unsure) await rewrite(changed(values, changes));
      else await append(changes);
    } catch (error) {
      throw new StoreError(`${path} can't be written: ${reasonOf(error)}`, { cause: error });
    } finally {
      busy = false;
    }
    apply(values, changes);
    if (size > compactAt) await compact();
  }

  if (unsure || commits > 1) await compact();
  return {
    get: (key) => values.get(key),
    under: (prefix) =>
      [...values]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, value]): [string, Value] => [key.slice(prefix.length), value]),
    commit,
    close,
  };
}

function replay(path: string, bytes: Uint8Array): ReturnType<typeof replayJournal> {
  try {
    return replayJournal(bytes);
  } catch (error) {
    if (!(error instanceof JournalDamage)) throw error;
    throw new AgentError(
      `the state of this device is damaged: ${path}, ${error.message}`,
      'Nothing was changed. Put back a copy of this file that is not older than the last message of this device; ' +
        'or remove identity.json, keys and state from the home folder, so that the device enrols under a new identity.',
      error,
    );
  }
}

function apply(values: Map<string, Value>, changes: Changes): void {
  for (const [key, value] of changes) {
    if (value === undefined) values.delete(key);
    else values.set(key, value);
  }
}

function changed(values: ReadonlyMap<string, Value>, changes: Changes): Map<string, Value> {
  const next = new Map(values);
  apply(next, changes);
  return next;
}
