/** Brings restored databases forward, so that nothing the server says contradicts what it said after the backup. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { keyServiceMigrations, type KeyServiceTables } from '../keyservice/tables.ts';
import { StoreError } from '../store/fault.ts';
import type { Migrations } from '../store/schema/steps.ts';
import type { Store } from '../store/port.ts';
import { coreMigrations } from '../store/schema/migrations.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { checkSqlite, openSqlite } from '../store/sqlite/open.ts';
import {
  certifiedDevices,
  dropApiTokens,
  dropCodes,
  dropOwed,
  moveCounters,
  reserveCounters,
  type CertifiedDevice,
} from './ahead.ts';
import { BackupError } from './archive/fault.ts';
import { noteRestore } from './note.ts';
import { CORE_DATABASE, KEY_DATABASE } from './places.ts';
import { adoptCrl, revokeListed, type NewlyRevoked } from './revoked.ts';

const NOBODY: NewlyRevoked = { revoked: [], unclear: [] };

export interface Forward {
  /** The newest revocation list, PEM. */
  readonly crl: string | undefined;
  /** Forget all API tokens. */
  readonly newTokens: boolean;
  /** When the backup was made; milliseconds since 1970, as `now`. */
  readonly backupOf: number;
  readonly now: number;
  /** How far every counter moves. */
  readonly jump: bigint;
  /** Gives 8 random bytes. */
  readonly start: () => Uint8Array;
}

/** What was brought forward. */
export interface BroughtForward extends NewlyRevoked {
  /** When the revocation list was made, in milliseconds since 1970. Absent without a list. */
  readonly listedAt?: number;
  /** Devices whose counters were moved ahead. */
  readonly devices: number;
  readonly codesDropped: number;
  readonly tokensDropped: number;
}

/** Works on a folder that no server uses yet. */
export async function bringForward(folder: string, wish: Forward): Promise<BroughtForward> {
  const list = await adoptCrl(folder, wish.crl);
  // The backup may be of an older version: opening brings it up to date.
  await using keyService = closing(
    await openChecked<KeyServiceTables>(join(folder, KEY_DATABASE), keyServiceMigrations),
  );
  await using core = closing(await openChecked<CoreTables>(join(folder, CORE_DATABASE), coreMigrations));
  const { codesDropped, since } = await keyService.commit(async (write) => ({
    codesDropped: await dropCodes(write),
    since: list === undefined ? NOBODY : await revokeListed(write, list, wish.now),
  }));
  const certified = await certifiedDevices(keyService.read);
  const changed = await bringCoreForward(core, wish, certified, since.revoked);
  if (wish.newTokens) await rm(join(folder, 'server', 'setup-token.used'), { force: true });
  return { codesDropped, ...changed, ...since, ...(list !== undefined && { listedAt: Number(list.number) }) };
}

async function bringCoreForward(
  core: Store<CoreTables>,
  { now, backupOf, jump, newTokens, start }: Forward,
  certified: readonly CertifiedDevice[],
  revoked: readonly string[],
): Promise<Pick<BroughtForward, 'devices' | 'tokensDropped'>> {
  // Drawn before the commit: its work may run twice.
  const starts = certified.map(() => start());
  return core.commit(async (write) => {
    await dropOwed(write, revoked);
    const devices = await moveCounters(write, jump);
    await reserveCounters(write, certified, starts);
    await noteRestore(write, { at: now, backupOf, revoked });
    return { devices, tokensDropped: newTokens ? await dropApiTokens(write) : 0 };
  });
}

async function openChecked<Tables>(file: string, migrations: Migrations): Promise<Store<Tables>> {
  try {
    checkSqlite(file, migrations);
    return await openSqlite<Tables>(file, migrations);
  } catch (fault) {
    if (!(fault instanceof StoreError)) throw fault;
    throw new BackupError(`${fault.message} Use another backup.`);
  }
}

function closing<Tables>(store: Store<Tables>): Store<Tables> & AsyncDisposable {
  return { ...store, [Symbol.asyncDispose]: () => store.close() };
}
