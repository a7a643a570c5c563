/** Keeps what simulated devices must not forget: their identity and the state of their exchanges (P 5.1, 5.3). */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { join } from 'node:path';
import { Secret } from '@srup/node';
import { StoreError, type Changes, type Credentials, type Store, type Value } from '@srup/agent/parts';
import { UserError } from '../user-error.ts';

/** Keys of the state that stand for the software of a simulated device. */
export const SOFTWARE = 'simulated/software';

export interface KnownDevice {
  readonly credentials: Credentials;
  readonly store: Store;
}

export interface Keep {
  /** The identity of a device; undefined if it has none yet. */
  find(device: number): KnownDevice | undefined;
  /** Stores the identity of a device. */
  admit(device: number, credentials: Credentials): Promise<KnownDevice>;
  /** Removes the identity of a device that gave it up. */
  forget(device: number): Promise<void>;
  close(): Promise<void>;
}

/** State in memory; `persist` resolves when a change is on disk. */
function storeOver(values: Map<string, Value>, persist: (changes: Changes) => Promise<void>): Store {
  return {
    get: (key) => values.get(key),
    under: (prefix) =>
      [...values].flatMap(([key, value]): [string, Value][] =>
        key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [],
      ),
    commit: async (changes) => {
      await persist(changes);
      for (const [key, value] of changes) {
        if (value === undefined) values.delete(key);
        else values.set(key, value);
      }
    },
  };
}

/** Keeps the devices for one run only. */
export function keepInMemory(): Keep {
  const known = new Map<number, KnownDevice>();
  return {
    find: (device) => known.get(device),
    admit: async (device, credentials) => {
      const admitted = { credentials, store: storeOver(new Map(), async () => undefined) };
      known.set(device, admitted);
      return admitted;
    },
    forget: async (device) => {
      known.delete(device);
    },
    close: async () => undefined,
  };
}

const FORM = 1;

/** The server and devices of a folder; a later run must use the same. */
export interface Belonging {
  readonly server: string;
  readonly type: string;
  readonly suite: string;
}

/** Keeps all devices in one database. Commits at the same moment share one sync to disk. */
export async function keepIn(folder: string, belonging: Belonging): Promise<Keep> {
  const { lockFolder, makePrivateFolder } = await import('@srup/node');
  const { DatabaseSync } = await import('node:sqlite');
  const { closeSync, openSync } = await import('node:fs');
  let database: DatabaseSync;
  let lock: Awaited<ReturnType<typeof lockFolder>>;
  try {
    await makePrivateFolder(folder);
    lock = await lockFolder(folder);
    const file = join(folder, 'devices.sqlite');
    closeSync(openSync(file, 'a', 0o600)); // private keys are in it
    database = new DatabaseSync(file);
    database.exec('pragma journal_mode = wal; pragma synchronous = full;');
  } catch (error) {
    throw new UserError(
      `the folder ${folder} can't be used: ${(error as Error).message}`,
      'Name another one with --keep, or stop the simulator that uses it.',
    );
  }
  try {
    prepare(database, folder, belonging);
  } catch (error) {
    database.close();
    await lock.release();
    throw error;
  }
  const keep = keepInDatabase(database);
  return {
    ...keep,
    close: async () => {
      await keep.close();
      database.close();
      await lock.release();
    },
  };
}

function prepare(database: DatabaseSync, folder: string, belonging: Belonging): void {
  database.exec(`
    create table if not exists meta (name text primary key, value text not null) without rowid;
    create table if not exists devices (device integer primary key, credentials text not null);
    create table if not exists state (
      device integer not null, key text not null, value text not null, primary key (device, key)
    ) without rowid;`);
  const wanted = { form: String(FORM), ...belonging };
  const read = database.prepare('select name, value from meta');
  const found = Object.fromEntries(
    (read.all() as { name: string; value: string }[]).map(({ name, value }) => [name, value]),
  );
  const other = Object.entries(wanted).find(([name, value]) => (found[name] ?? value) !== value);
  if (other !== undefined) {
    const [name, value] = other;
    throw new UserError(
      `the devices in ${folder} are of another ${name}: ${found[name] ?? 'none'}, not ${value}`,
      'Give the same options as in the first run, or another folder.',
    );
  }
  const write = database.prepare('insert or ignore into meta values (?, ?)');
  for (const [name, value] of Object.entries(wanted)) write.run(name, value);
}

interface Waiting {
  readonly work: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function keepInDatabase(database: DatabaseSync): Keep {
  const sql = (text: string): StatementSync => database.prepare(text);
  const readDevice = sql('select credentials from devices where device = ?');
  const writeDevice = sql('insert or replace into devices values (?, ?)');
  const dropDevice = sql('delete from devices where device = ?');
  const readState = sql('select key, value from state where device = ?');
  const writeState = sql('insert or replace into state values (?, ?, ?)');
  const dropState = sql('delete from state where device = ? and key = ?');
  const dropAllState = sql('delete from state where device = ?');
  const known = new Map<number, KnownDevice>();
  let waiting: Waiting[] = [];
  let flushed: Promise<void> = Promise.resolve();

  /** Writes a change. Rejects with `StoreError` when nothing of it is on disk. */
  function commit(work: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (waiting.push({ work, resolve, reject }) > 1) return;
      flushed = new Promise((done) => {
        setImmediate(() => {
          flush();
          done();
        });
      });
    });
  }

  function flush(): void {
    const batch = waiting;
    waiting = [];
    try {
      database.exec('begin immediate');
      for (const { work } of batch) work();
      database.exec('commit');
    } catch (cause) {
      if (database.isTransaction) database.exec('rollback');
      for (const { reject } of batch) {
        reject(new StoreError(`the state can't be written: ${(cause as Error).message}`, { cause }));
      }
      return;
    }
    for (const { resolve } of batch) resolve();
  }

  function open(device: number, credentials: Credentials): KnownDevice {
    const rows = readState.all(device) as { key: string; value: string }[];
    const values = new Map(rows.map(({ key, value }) => [key, JSON.parse(value) as Value]));
    const store = storeOver(values, (changes) =>
      commit(() => {
        for (const [key, value] of changes) {
          if (value === undefined) dropState.run(device, key);
          else writeState.run(device, key, JSON.stringify(value));
        }
      }),
    );
    const opened = { credentials, store };
    known.set(device, opened);
    return opened;
  }

  return {
    find: (device) => {
      const row = readDevice.get(device) as { credentials: string } | undefined;
      return known.get(device) ?? (row && open(device, readCredentials(row.credentials)));
    },
    admit: async (device, credentials) => {
      await commit(() => {
        dropAllState.run(device);
        writeDevice.run(device, writeCredentials(credentials));
      });
      return open(device, credentials);
    },
    forget: async (device) => {
      known.delete(device);
      await commit(() => {
        dropDevice.run(device);
        dropAllState.run(device);
      });
    },
    close: () => flushed,
  };
}

/** Writes JSON with the private keys unwrapped, for a file that only its owner can read. */
function writeCredentials(credentials: Credentials): string {
  return JSON.stringify(credentials, function (this: Record<string, unknown>, name, value: unknown) {
    const whole = this[name]; // `value` is what a Secret shows to everybody
    return whole instanceof Secret ? { secret: whole.reveal() } : value;
  });
}

function readCredentials(text: string): Credentials {
  return JSON.parse(text, (_name, value: unknown) => {
    const wrapped =
      typeof value === 'object' && value !== null && 'secret' in value ? value.secret : undefined;
    return typeof wrapped === 'string' ? new Secret(wrapped) : value;
  }) as Credentials;
}
