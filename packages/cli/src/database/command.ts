import type { Command } from 'commander';
import { addAccessOptions } from '../service/database.ts';
import { DEFAULT_FOLDER } from '../up/command.ts';
import type { CopyCommandOptions } from './copy.ts';
import type { ShowOptions } from './show.ts';

const AFTER_COPY = `
Stop the server first. Everything but keys, certificates and artifacts is
copied and then compared with its source, row by row; the audit trail must end
with the same hash. Then the folder names the new place, and the next start uses
it. What is in the old place stays there, and no server starts on it any more.

A copy that is broken off changes nothing for the server. Run it again: what it
left is refused by every server, and replaced by the next copy.

--database-password-file, --database-ca and --insecure-plain-database are about
the new database. How to get in to the old one is what the server was started
with. Its password is in the file that was named then, or else in
SRUP_DATABASE_PASSWORD, which the new database takes too if no file is named.

Examples:
  $ srup database copy --folder /var/lib/srup \\
      --to postgres://srup@db.example/srup \\
      --database-password-file /etc/srup/database-password
  $ srup database copy --folder /var/lib/srup --to sqlite
  $ srup database copy --folder /var/lib/srup --from sqlite \\
      --to 'postgres:///srup?host=/run/postgresql&user=srup'

Exit codes: 0 done; 2 wrong use, a server that runs, or a database that can't be
used.`;

const AFTER_SHOW = `
Examples:
  $ srup database show --folder /var/lib/srup
  $ srup database show --folder /var/lib/srup --json

Exit codes: 0 done; 2 wrong use, or a folder that can't be used.`;

const FOLDER = ['--folder <folder>', 'where the server keeps everything', DEFAULT_FOLDER] as const;
const JSON_OPTION = ['--json', 'print JSON on stdout, for programs'] as const;

/** Adds `srup database`, which shows and changes where a server keeps what it knows. */
export function addDatabaseCommand(program: Command): void {
  const database = program
    .command('database')
    .description('see where a server keeps what it knows, and move it to another database');
  database
    .command('show')
    .description('print where the database of a server is')
    .option(...FOLDER)
    .option(...JSON_OPTION)
    .addHelpText('after', AFTER_SHOW)
    .action(async (options: ShowOptions) => {
      const { show } = await import('./show.ts');
      await show(options);
    });
  addAccessOptions(
    database
      .command('copy')
      .description('move a stopped server from SQLite to PostgreSQL, or back')
      .option(...FOLDER)
      .requiredOption(
        '--to <place>',
        'the new place: postgres://USER@HOST:PORT/NAME, or sqlite for files in the folder',
      )
      .option('--from <place>', 'the place where you believe everything is; another one ends the command'),
  )
    .option(...JSON_OPTION)
    .addHelpText('after', AFTER_COPY)
    .action(async (options: CopyCommandOptions) => {
      const { copy } = await import('./copy.ts');
      await copy(options);
    });
}
