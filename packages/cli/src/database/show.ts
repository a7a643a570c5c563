import { resolve } from 'node:path';
import { told } from '../backup/faults.ts';
import { mustHold } from '../must-hold.ts';
import { createOutput } from '../screen/output.ts';

export interface ShowOptions {
  readonly folder: string;
  readonly json?: true;
}

/** Runs `srup database show`. */
export async function show(options: ShowOptions): Promise<void> {
  const output = createOutput(options.json === true);
  const folder = resolve(options.folder);
  await mustHold(folder, 'vault.json', 'server', '--folder');
  const { CORE_FILE, KEYS_FILE, readDatabaseNote } = await import('@srup/server');
  const note = await told(() => readDatabaseNote(folder));
  output.result({ folder, kind: note === undefined ? 'sqlite' : 'postgres', ...note }, () => {
    output.facts(
      note === undefined
        ? [
            ['Kind', 'SQLite'],
            ['Files', `${folder}/${CORE_FILE} and ${folder}/${KEYS_FILE}`],
          ]
        : [
            ['Kind', 'PostgreSQL'],
            ['Database', note.url],
            ['Password', note.passwordFile ?? 'in SRUP_DATABASE_PASSWORD, if it needs one'],
            ['CA', note.caFile],
            ['TLS', note.insecurePlain === true ? 'off (--insecure-plain-database)' : undefined],
          ],
    );
  });
}
