/** The options that say where a server's database is, for each command that takes them. */
import { resolve } from 'node:path';
import type { Secret } from '@srup/node';
import { Option, type Command } from 'commander';
import type { DatabaseNote } from '@srup/server';
import { UserError } from '../user-error.ts';

export interface DatabaseOptions {
  readonly database?: string;
  readonly databasePasswordFile?: string;
  readonly databaseCa?: string;
  readonly insecurePlainDatabase?: true;
}

/** What holds the password when no file does. */
const PASSWORD_VARIABLE = 'SRUP_DATABASE_PASSWORD';

/** Adds the options. `wanted` describes the first one. */
export function addDatabaseOptions(command: Command, wanted: string): Command {
  return addAccessOptions(command.option('--database <url>', wanted));
}

/** Adds the options beside the one that says where. */
export function addAccessOptions(command: Command): Command {
  return command
    .option(
      '--database-password-file <file>',
      `file with the password of the database (default: ${PASSWORD_VARIABLE} in the environment)`,
    )
    .option(
      '--database-ca <file>',
      "PEM file with the CA of the database's certificate (default: the CAs that Node.js trusts)",
    )
    .addOption(
      new Option(
        '--insecure-plain-database',
        'do without TLS on the way to the database: others can read and change what goes there',
      ),
    );
}

/** The password in the environment, unless the options name a file with it. A file that the folder remembers comes last. */
export async function environmentPassword({
  databasePasswordFile,
}: { readonly databasePasswordFile?: string | undefined } = {}): Promise<Secret | undefined> {
  const text = process.env[PASSWORD_VARIABLE] ?? '';
  if (text === '' || databasePasswordFile !== undefined) return undefined;
  const { Secret } = await import('@srup/node');
  return new Secret(text);
}

/** How to get in to the database that the options name; undefined when they name none. */
export function databaseNote(options: DatabaseOptions): DatabaseNote | undefined {
  const { database, databasePasswordFile, databaseCa, insecurePlainDatabase } = options;
  if (database === undefined) {
    refuseLone({
      '--database-password-file': databasePasswordFile,
      '--database-ca': databaseCa,
      '--insecure-plain-database': insecurePlainDatabase,
    });
    return undefined;
  }
  return {
    url: database,
    ...(databasePasswordFile !== undefined && { passwordFile: resolve(databasePasswordFile) }),
    ...(databaseCa !== undefined && { caFile: resolve(databaseCa) }),
    ...(insecurePlainDatabase === true && { insecurePlain: true }),
  };
}

function refuseLone(flags: Readonly<Record<string, unknown>>): void {
  const lone = Object.keys(flags).find((flag) => flags[flag] !== undefined);
  if (lone === undefined) return;
  throw new UserError(
    `${lone} is given without --database`,
    'Name the database too: --database postgres://USER@HOST/DATABASE',
  );
}
