import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { isMissing } from '../../../../scripts/system-programs.ts';
import { lockFolder, systemClock, systemRandom } from '@srup/node';
import { dump, elsewhere, fill, within, type Places } from '../../test/copied.ts';
import { test } from '../../test/fixtures.ts';
import { findCopyNote, writeCopyNote, type CopyNote } from '../store/copied.ts';
import { filesIn, findDatabases, noteDatabases } from '../store/databases.ts';
import { moveServer, type DatabaseWish, type Moved, type MoveOptions } from './move.ts';
import { openBoth } from './target.ts';

const ports = { clock: systemClock, random: systemRandom };
const silent = (): void => undefined;

/** A folder like a server's that has stopped. */
async function makeServer(folder: string, identity = 'b9d077e223834cf6'): Promise<void> {
  for (const part of ['server', 'key-service']) await mkdir(join(folder, part), { recursive: true });
  await writeFile(join(folder, 'server', 'identity'), `${identity}\n`);
  await within(filesIn(folder), fill);
}

const move = (folder: string, to: DatabaseWish, more: Partial<MoveOptions> = {}): Promise<Moved> =>
  moveServer({ folder, to, tell: silent, ...more }, ports);

async function openAsServer(places: Places): Promise<void> {
  await within(places, async () => undefined);
}

async function noteOf(places: Places): Promise<CopyNote | undefined> {
  await using both = await openBoth(places, silent);
  return await findCopyNote(both.core);
}

async function setNote(places: Places, change: Partial<CopyNote>): Promise<void> {
  const note = { ...((await noteOf(places)) as CopyNote), ...change };
  await using both = await openBoth(places, silent);
  await both.keys.commit((write) => writeCopyNote(write, note));
  await both.core.commit((write) => writeCopyNote(write, note));
}

describe.skipIf(isMissing('postgres'))('a server that moves', { timeout: 60_000 }, () => {
  test('is on PostgreSQL then, and no server starts on what it left', async ({ folder }) => {
    await makeServer(folder);
    const { database: to, password, places } = await elsewhere();
    const { copied } = await move(folder, to, { password });
    expect(copied?.trail.brokenAt).toBeUndefined();
    expect((await findDatabases(folder, password)).note).toMatchObject(to);
    await openAsServer(places);
    await expect(openAsServer(filesIn(folder))).rejects.toThrow(
      /was moved to postgres:.* out of date\. Start/,
    );
    await expect(move(folder, to, { password })).rejects.toThrow('is there already');
  });

  test('comes back to files with all that it has, and can leave again', async ({ folder }) => {
    await makeServer(folder);
    const before = [dump(filesIn(folder).core), dump(filesIn(folder).keys)];
    const { database: to, password, places } = await elsewhere();
    await move(folder, to, { password });
    await move(folder, 'sqlite', { passwordNow: password });
    expect([dump(filesIn(folder).core), dump(filesIn(folder).keys)]).toEqual(before);
    expect((await findDatabases(folder)).note).toBeUndefined();
    await openAsServer(filesIn(folder));
    await expect(openAsServer(places)).rejects.toThrow(/was moved to SQLite files in the folder/);
    await move(folder, to, { password });
    await openAsServer(places);
  });

  test('does not move over what somebody else has stored', async ({ folder }) => {
    const other = await elsewhere();
    await makeServer(join(folder, 'one'));
    await makeServer(join(folder, 'other'), 'a1');
    await move(join(folder, 'one'), other.database, other);
    const again = move(join(folder, 'other'), other.database, other);
    await expect(again).rejects.toThrow(/holds data already\. Name an empty one/);
    await openAsServer(other.places);
    await openAsServer(filesIn(join(folder, 'other')));
    await setNote(other.places, { state: 'unfinished' });
    await expect(move(join(folder, 'other'), other.database, other)).rejects.toThrow('holds data already');
  });

  test('is stopped, and is where its keeper believes', async ({ folder }) => {
    await makeServer(folder);
    const { database: to, password } = await elsewhere();
    const running = await lockFolder(folder);
    await expect(move(folder, to, { password })).rejects.toThrow(/^The server runs: .*\. Stop it first\.$/);
    await running.release();
    await expect(move(folder, 'sqlite', { from: to })).rejects.toThrow(
      /not there\. It is here: SQLite files/,
    );
    await expect(move(folder, 'sqlite')).rejects.toThrow('is there already');
  });
});

describe.skipIf(isMissing('postgres'))('a move that was broken off', { timeout: 60_000 }, () => {
  async function moved(folder: string) {
    await makeServer(folder);
    const there = await elsewhere();
    await move(folder, there.database, there);
    return there;
  }

  test('in the middle leaves nothing that a server starts on, and begins anew', async ({ folder }) => {
    await makeServer(folder);
    const { database: to, password, places } = await elsewhere();
    const broken = move(folder, to, {
      password,
      onProgress: (doing, done) => {
        if (doing === 'copy' && done > 10) throw new Error('broken off');
      },
    });
    await expect(broken).rejects.toThrow('broken off');
    await expect(openAsServer(places)).rejects.toThrow(/was not finished\. Run it again: srup database copy/);
    await openAsServer(filesIn(folder));
    await move(folder, to, { password });
    await openAsServer(places);
  });

  test('before the folder named the new place is finished by the next run, which copies nothing', async ({
    folder,
  }) => {
    const { database: to, password, places } = await moved(folder);
    await noteDatabases(folder, filesIn(folder));
    await expect(openAsServer(filesIn(folder))).rejects.toThrow('out of date');
    // If a server was started there by other means, its data must stay.
    await within(places, ({ core }) =>
      core.commit((write) => write.insertInto('events').values({ at: 1, event: 'newer' }).execute()),
    );
    expect((await move(folder, to, { password })).copied).toBeUndefined();
    const events = await within(places, ({ core }) => core.read.selectFrom('events').selectAll().execute());
    expect(events).toMatchObject([{ event: 'newer' }]);
  });

  test('before the copy was finished begins anew', async ({ folder }) => {
    const { database: to, password, places } = await moved(folder);
    await noteDatabases(folder, filesIn(folder));
    await setNote(places, { state: 'unfinished' });
    expect((await move(folder, to, { password })).copied).toBeDefined();
    await openAsServer(places);
  });

  test('between its two last notes begins anew', async ({ folder }) => {
    const { database: to, password, places } = await moved(folder);
    await noteDatabases(folder, filesIn(folder));
    const note = (await noteOf(places)) as CopyNote;
    {
      await using both = await openBoth(places, silent);
      await both.core.commit((write) => writeCopyNote(write, { ...note, state: 'unfinished' }));
    }
    expect((await move(folder, to, { password })).copied).toBeDefined();
    await openAsServer(places);
  });

  test('does not lead to a third place', async ({ folder }) => {
    await moved(folder);
    await noteDatabases(folder, filesIn(folder));
    const third = await elsewhere();
    await expect(move(folder, third.database, third)).rejects.toThrow(
      /was moved to postgres:.* before\. Finish that first/,
    );
    await expect(openAsServer(third.places)).resolves.toBeUndefined();
  });

  test('leaves files of the way back aside', async ({ folder }) => {
    const { password, places } = await moved(folder);
    const before = await readFile(join(folder, 'server/fleet.db'));
    const broken = move(folder, 'sqlite', {
      passwordNow: password,
      onProgress: (doing) => {
        if (doing === 'compare') throw new Error('broken off');
      },
    });
    await expect(broken).rejects.toThrow('broken off');
    expect(await readFile(join(folder, 'server/fleet.db'))).toEqual(before);
    await openAsServer(places);
    await rm(join(folder, 'server/fleet.db'));
    await move(folder, 'sqlite', { passwordNow: password });
    await openAsServer(filesIn(folder));
  });
});

test('a folder without a server, or without data, is not moved', async ({ folder }) => {
  const to = { url: 'postgres://srup@127.0.0.1/srup' };
  await expect(move(folder, to)).rejects.toThrow(/holds no server/);
  await mkdir(join(folder, 'server'));
  await writeFile(join(folder, 'server', 'identity'), 'a1\n');
  await expect(move(folder, to)).rejects.toThrow(/has not stored anything yet/);
});
