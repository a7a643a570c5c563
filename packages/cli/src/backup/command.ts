import type { Command } from 'commander';
import { addDatabaseOptions } from '../service/database.ts';
import { DEFAULT_FOLDER } from '../up/command.ts';
import type { BackupCommandOptions } from './backup.ts';
import type { RestoreCommandOptions } from './restore.ts';

const EXIT_CODES = `
Exit codes: 0 done; 2 wrong use, or a file or folder that can't be used.`;

const AFTER_BACKUP = `
The server can be running: the databases are copied as they are at one moment,
from PostgreSQL too. They are SQLite files in the backup, whatever the server
uses, and the backup can be restored to either.
The file appears when it is complete, readable by you alone (0600). It holds
everything, private keys too.

Examples:
  $ srup backup /backup/srup-$(date +%F).backup --folder /var/lib/srup
  $ srup backup today.backup --passphrase-file /root/srup.passphrase
  $ srup backup keys-and-devices.backup --no-artifacts --json
${EXIT_CODES}`;

const AFTER_RESTORE = `
Everything in the backup is checked before anything is written. The folder must
be new or empty. Sequence numbers are moved ahead, so that none is used twice.
The old server must never run again. Read what the command prints at the end.

With --database the server is restored into an empty PostgreSQL database, else
into files in the folder.

A backup does not know which devices were revoked after it was made. --crl takes
the server's newest revocation list and keeps those devices out. The list is
key-service/crl.pem of the old folder, or the file that the broker reads.

Examples:
  $ srup restore srup-2026-11-21.backup --folder /var/lib/srup \\
      --crl /var/lib/srup.old/key-service/crl.pem
  $ srup restore srup-2026-11-21.backup --folder /var/lib/srup --new-tokens
  $ srup restore srup-2026-11-21.backup --folder /var/lib/srup \\
      --database postgres://srup@db.example/srup \\
      --database-password-file /etc/srup/database-password
  $ srup restore srup-2026-11-21.backup --check
${EXIT_CODES}`;

const PASSPHRASE = ['--passphrase-file <file>', 'file with the passphrase; "-": standard input'] as const;
const JSON_OPTION = ['--json', 'print JSON on stdout, for programs'] as const;

/** Adds `srup backup` and `srup restore`. */
export function addBackupCommands(program: Command): void {
  program
    .command('backup <file>')
    .description('copy a whole server into one file, even while it runs')
    .option('--folder <folder>', 'where the server keeps everything', DEFAULT_FOLDER)
    .option('--no-artifacts', 'leave out the uploaded artifacts')
    .option(...PASSPHRASE)
    .option(...JSON_OPTION)
    .addHelpText('after', AFTER_BACKUP)
    .action(async (file: string, options: BackupCommandOptions) => {
      const { backup } = await import('./backup.ts');
      await backup(file, options);
    });
  addDatabaseOptions(
    program
      .command('restore <file>')
      .description('restore a server from a backup into a new folder')
      .option('--folder <folder>', 'the folder to restore into: new or empty')
      .option('--check', 'check the backup and write nothing')
      .option('--crl <file>', "the server's newest revocation list: the devices on it stay revoked")
      .option('--new-tokens', 'drop all API tokens; the next start prints a set-up token'),
    'restore into this PostgreSQL, which must be empty: postgres://USER@HOST:PORT/NAME',
  )
    .option(...PASSPHRASE)
    .option(...JSON_OPTION)
    .addHelpText('after', AFTER_RESTORE)
    .action(async (file: string, options: RestoreCommandOptions) => {
      const { restore } = await import('./restore.ts');
      await restore(file, options);
    });
}
