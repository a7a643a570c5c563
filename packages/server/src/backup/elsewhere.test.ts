import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { Secret } from '@srup/node';
import { systemClock, systemRandom } from '@srup/node';
import { isMissing } from '../../../../scripts/system-programs.ts';
import {
  elsewhere,
  type Elsewhere,
  copyBetween,
  dump,
  filesAt,
  fill,
  within,
  type Places,
} from '../../test/copied.ts';
import { test } from '../../test/fixtures.ts';
import { moveServer } from '../copy/move.ts';
import { filesIn, findDatabases } from '../store/databases.ts';
import { connect } from '../store/postgres/session.ts';
import { createBackup } from './create.ts';
import { checkBackup, restoreBackup, type Restored, type RestoreOptions } from './restore.ts';

const ports = { clock: systemClock, random: systemRandom };

/** A folder like a server's, whose data is on PostgreSQL. */
async function makeServer(folder: string): Promise<Elsewhere> {
  for (const part of ['server', 'key-service']) await mkdir(join(folder, part), { recursive: true });
  await writeFile(join(folder, 'vault.json'), '{"format":1}\n');
  await writeFile(join(folder, 'server', 'identity'), 'b9d077e223834cf6\n');
  await within(filesIn(folder), async (both) => {
    await fill(both);
    await both.core.commit(async (write) => {
      await write
        .insertInto('devices')
        .values({
          ...{ id: 'a1', type: 'pump', suite: 'ed25519', public_pem: 'pem', standing: 'joined' },
          ...{ confirms: 1, first_seen_at: 1 },
        })
        .execute();
      await write
        .insertInto('peers')
        .values({ device: 'a1', sent: '4611686018427387903', highest: '7', seen: '1', proven_at: null })
        .execute();
    });
  });
  const there = await elsewhere();
  const { database: to, password } = there;
  await moveServer({ folder, to, password, tell: () => undefined }, ports);
  return there;
}

async function askAt({ core }: Places, statements: string): Promise<void> {
  if (core.kind !== 'postgres') throw new TypeError('only of PostgreSQL');
  const { client, end } = await connect(core, { schema: 'public', name: 'test' });
  await client.query(statements).finally(end);
}

/** Lets a copy do everything but note in the core that it is finished. */
const spoilFinish = (places: Places): Promise<void> =>
  askAt(
    places,
    `create function public.refuse() returns trigger language plpgsql as $$
       begin raise 'no room for the last note' using errcode = 'disk_full'; end $$;
     create function public.spoil() returns event_trigger language plpgsql as $$
       begin
         if exists (select from pg_event_trigger_ddl_commands() where object_identity = 'srup.copy_note') then
           create trigger refuse before update on srup.copy_note for each row
             when (new.note like '%"state":"finished"%') execute function public.refuse();
         end if;
       end $$;
     create event trigger spoil on ddl_command_end when tag in ('CREATE TABLE') execute function public.spoil()`,
  );

const backUp = (folder: string, file: string, password: Secret) =>
  createBackup({ folder, file, password, withArtifacts: true, now: Date.now() });

const restore = (file: string, folder: string, more: Partial<RestoreOptions> = {}): Promise<Restored> =>
  restoreBackup({ file, folder, newTokens: false, ...more }, ports);

const sentTo = (places: Places) =>
  within(places, ({ core }) =>
    core.read.selectFrom('peers').select(['device', 'sent']).orderBy('device').execute(),
  );

describe.skipIf(isMissing('postgres'))('a backup of a server on PostgreSQL', { timeout: 90_000 }, () => {
  test('is made while it runs, and holds what it had, in the files of any backup', async ({ folder }) => {
    const [server, file, again] = [join(folder, 'server'), join(folder, 'b'), join(folder, 'again')];
    const { places, password } = await makeServer(server);
    const { manifest } = await within(places, () => backUp(server, file, password));
    expect(manifest.files.map(({ path }) => path).sort()).toEqual([
      'key-service/identities.sqlite',
      'server/fleet.db',
      'server/identity',
      'vault.json',
    ]);
    expect(await readdir(join(server, '.backup'))).toEqual(['.lock']);
    await restore(file, again);
    expect((await findDatabases(again)).note).toBeUndefined();
    const copy = filesAt(folder, 'copy');
    await copyBetween(places, copy);
    const rest = (one: unknown) =>
      (one as [string, unknown][]).filter(([name]) => !/^(peers|devices|settings)$/.test(name));
    expect(rest(dump(filesIn(again).core))).toEqual(rest(dump(copy.core)));
    expect((await sentTo(filesIn(again))).map(({ device }) => device)).toContain('a1');
  });

  test('goes into an empty database, brought forward, and into no other', async ({ folder }) => {
    const [server, file, again] = [join(folder, 'server'), join(folder, 'b'), join(folder, 'again')];
    const { places, password, database } = await makeServer(server);
    await backUp(server, file, password);
    const over = restore(file, again, { database, password });
    await expect(over).rejects.toThrow(/holds data already\. Name an empty one/);
    expect(await readdir(folder)).toEqual(['b', 'server']);
    const there = await elsewhere();
    const { codesDropped } = await restore(file, again, there);
    expect(codesDropped).toBe(1);
    expect(JSON.parse(await readFile(join(again, 'server', 'database.json'), 'utf8'))).toEqual(
      there.database,
    );
    expect(await readdir(join(again, 'key-service'))).toEqual([]);
    const [before, after] = [await sentTo(places), await sentTo(there.places)];
    expect(BigInt(after[0]?.sent ?? 0)).toBeGreaterThan(BigInt(before[0]?.sent ?? 0) + 2n ** 26n);
    await expect(restore(file, join(folder, 'third'), there)).rejects.toThrow('holds data already');
  });

  test('that is restored and broken off leaves a database that no server uses, and is restored again', async ({
    folder,
  }) => {
    const [server, file, again] = [join(folder, 'server'), join(folder, 'b'), join(folder, 'again')];
    const { password } = await makeServer(server);
    await backUp(server, file, password);
    const there = await elsewhere();
    const broken = restore(file, again, {
      ...there,
      onProgress: (doing) => {
        if (doing === 'compare') throw new Error('broken off');
      },
    });
    await expect(broken).rejects.toThrow('broken off');
    expect(await readdir(folder)).toEqual(['b', 'server']);
    await expect(sentTo(there.places)).rejects.toThrow(/A copy from the backup of .* was not finished/);
    await restore(file, again, there);
    expect(await sentTo(there.places)).toHaveLength(ODD_AND_KNOWN);
  });

  test('that is restored and can not be finished leaves no folder, and is restored again', async ({
    folder,
  }) => {
    const [server, file, again] = [join(folder, 'server'), join(folder, 'b'), join(folder, 'again')];
    const { password } = await makeServer(server);
    await backUp(server, file, password);
    const there = await elsewhere();
    await spoilFinish(there.places);
    await expect(restore(file, again, there)).rejects.toThrow('no room for the last note');
    expect(await readdir(folder)).toEqual(['b', 'server']);
    await expect(sentTo(there.places)).rejects.toThrow(/A copy from the backup of .* was not finished/);
    await askAt(there.places, 'drop event trigger spoil');
    await restore(file, again, there);
    expect(await sentTo(there.places)).toHaveLength(ODD_AND_KNOWN);
  });

  test('of a database that is away says so', async ({ folder }) => {
    const [server, file] = [join(folder, 'server'), join(folder, 'b')];
    const { password } = await makeServer(server);
    await writeFile(join(server, 'server', 'database.json'), '{"url":"postgres://srup@127.0.0.1:1/srup"}');
    await expect(backUp(server, file, password)).rejects.toMatchObject({ name: 'StoreFault' });
    expect(await readdir(folder)).toEqual(['server']);
  });
});

/** Identities that `fill` makes, and the device that is known. */
const ODD_AND_KNOWN = 7;

describe.skipIf(isMissing('postgres'))('a backup of a server on files', { timeout: 90_000 }, () => {
  test('goes into an empty database too', async ({ folder }) => {
    const [server, file, again] = [join(folder, 'server'), join(folder, 'b'), join(folder, 'again')];
    const { password } = await makeServer(server);
    await moveServer({ folder: server, to: 'sqlite', passwordNow: password, tell: () => undefined }, ports);
    await createBackup({ folder: server, file, withArtifacts: true, now: Date.now() });
    expect(await checkBackup(file)).toMatchObject({ serverId: 'b9d077e223834cf6' });
    const there = await elsewhere();
    await restore(file, again, there);
    expect(await sentTo(there.places)).toHaveLength(ODD_AND_KNOWN);
    await restore(file, join(folder, 'files'));
    expect(await sentTo(filesIn(join(folder, 'files')))).toHaveLength(ODD_AND_KNOWN);
  });
});
