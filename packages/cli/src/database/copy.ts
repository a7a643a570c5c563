import { resolve } from 'node:path';
import type { CopyPhase, DatabaseWish, Moved } from '@srup/server';
import { toldWithProgress } from '../backup/progress.ts';
import { mustHold } from '../must-hold.ts';
import { createOutput, type Output } from '../screen/output.ts';
import { programName } from '../screen/program-name.ts';
import { terminalOf } from '../screen/terminal.ts';
import { databaseNote, environmentPassword, type DatabaseOptions } from '../service/database.ts';
import { UserError } from '../user-error.ts';

export interface CopyCommandOptions extends Omit<DatabaseOptions, 'database'> {
  readonly folder: string;
  readonly to: string;
  readonly from?: string;
  readonly json?: true;
}

/** The word for files in the server's folder. */
const FILES = 'sqlite';
const DOING: Readonly<Record<CopyPhase, string>> = { copy: 'copying', compare: 'comparing' };

/** Runs `srup database copy`. */
export async function copy(options: CopyCommandOptions): Promise<void> {
  const output = createOutput(options.json === true);
  const folder = resolve(options.folder);
  await mustHold(folder, 'vault.json', 'server', '--folder');
  const to = placeOf(options.to, options);
  const from = options.from === undefined ? undefined : placeOf(options.from);
  const [{ moveServer, readDatabaseNote }, { systemClock, systemRandom }] = await Promise.all([
    import('@srup/server'),
    import('@srup/node'),
  ]);
  const moved = await toldWithProgress(DOING, 'copy', async (onProgress) =>
    moveServer(
      {
        ...{ folder, to, from },
        password: await environmentPassword(options),
        // The one in the environment can be that of the new database.
        passwordNow: await environmentPassword({
          databasePasswordFile: (await readDatabaseNote(folder))?.passwordFile,
        }),
        onProgress,
        tell: (what) => {
          output.note(what);
        },
      },
      { clock: systemClock, random: systemRandom },
    ),
  );
  output.result({ folder, ...moved }, () => {
    tellMoved(folder, moved, output);
  });
  tellWhatNext(folder, moved, output);
}

/** The place that a person names, and how to get in. */
function placeOf(place: string, access: DatabaseOptions = {}): DatabaseWish {
  if (place === FILES) return FILES;
  const note = /^postgres(ql)?:\/\//.test(place) ? databaseNote({ ...access, database: place }) : undefined;
  if (note !== undefined) return note;
  throw new UserError(
    `"${place}" is not a place for the database`,
    `Write it as postgres://USER@HOST:PORT/NAME, or as ${FILES} for files in the folder.`,
  );
}

function tellMoved(folder: string, { from, to, copied }: Moved, output: Output): void {
  output.facts([
    ['Moved', folder],
    ['From', from],
    ['To', to],
    [
      'Rows',
      copied === undefined
        ? 'copied by an earlier run'
        : `${copied.rows} in ${copied.tables} tables, compared`,
    ],
    [
      'Audit trail',
      copied === undefined
        ? undefined
        : `${copied.trail.seq} entries, ending with ${copied.trail.hash.slice(0, 16)}`,
    ],
  ]);
}

function tellWhatNext(folder: string, { from, copied }: Moved, output: Output): void {
  const brokenAt = copied?.trail.brokenAt;
  if (brokenAt !== undefined) {
    const { paint } = terminalOf(process.stderr);
    process.stderr.write(
      `${paint(['bold', 'yellow'], `WARNING: the audit trail does not hang together at entry ${brokenAt}.`)}\n` +
        'It was so before, and the copy is the same. Export it, and let srup verify say what is wrong.\n',
    );
  }
  output.note(`Start the server as before: ${programName()} up --folder ${folder}`);
  output.note(`What is in the old place (${from}) is out of date from then on, and no server starts on it.`);
}
