import { resolve } from 'node:path';
import type { Restored } from '@srup/server';
import { createOutput } from '../screen/output.ts';
import { programName } from '../screen/program-name.ts';
import { exactTime } from '../screen/words.ts';
import { terminalOf } from '../screen/terminal.ts';
import { UserError } from '../user-error.ts';
import { databaseNote, environmentPassword, type DatabaseOptions } from '../service/database.ts';
import { told } from './faults.ts';
import { toldWithProgress } from './progress.ts';
import { readPassphrase } from './passphrase.ts';

export interface RestoreCommandOptions extends DatabaseOptions {
  readonly folder?: string;
  readonly passphraseFile?: string;
  readonly crl?: string;
  readonly newTokens?: true;
  readonly check?: true;
  readonly json?: true;
}

const DOING = { check: 'checking', write: 'writing', copy: 'copying', compare: 'comparing' } as const;

/** Runs `srup restore FILE --folder NEW`. */
export async function restore(name: string, options: RestoreCommandOptions): Promise<void> {
  if (options.check === true) return check(name, options);
  if (options.folder === undefined) {
    throw new UserError(
      'no folder is named',
      'Name a new folder with --folder, or only check the backup with --check.',
    );
  }
  const output = createOutput(options.json === true);
  const folder = resolve(options.folder);
  const [database, password] = [databaseNote(options), await environmentPassword(options)];
  const passphrase = await readPassphrase(options.passphraseFile);
  const [{ restoreBackup }, { systemClock, systemRandom }] = await Promise.all([
    import('@srup/server'),
    import('@srup/node'),
  ]);
  const restored = await toldWithProgress(DOING, 'check', (onProgress) =>
    restoreBackup(
      {
        file: resolve(name),
        folder,
        passphrase,
        crl: options.crl === undefined ? undefined : resolve(options.crl),
        newTokens: options.newTokens === true,
        ...{ database, password },
        onProgress,
        tell: (what) => {
          output.note(what);
        },
      },
      { clock: systemClock, random: systemRandom },
    ),
  );
  const { manifest, ...counts } = restored;
  const { serverId, createdAt, withArtifacts } = manifest;
  output.result({ folder, serverId, createdAt, withArtifacts, ...counts }, () => {
    output.facts([
      ['Restored', folder],
      ['Database', database?.url],
      ['Server', serverId],
      ['As of', exactTime(createdAt)],
      ['Devices', `${restored.devices}, their sequence numbers moved ahead`],
      ...(restored.listedAt === undefined
        ? []
        : [['Revoked', restored.revoked.join(' ') || 'none since then'] as const]),
    ]);
  });
  tellWhatIsLost(restored, options.newTokens === true);
}

async function check(name: string, options: RestoreCommandOptions): Promise<void> {
  const output = createOutput(options.json === true);
  const passphrase = await readPassphrase(options.passphraseFile);
  const { checkBackup } = await import('@srup/server');
  const { serverId, createdAt, version, withArtifacts, files } = await told(() =>
    checkBackup(resolve(name), passphrase),
  );
  output.result({ serverId, createdAt, version, withArtifacts, files: files.length }, () => {
    output.facts([
      ['Server', serverId],
      ['As of', exactTime(createdAt)],
      ['Made by', `srup ${version}`],
      ['Files', `${files.length}, all whole${withArtifacts ? '' : '; no artifacts'}`],
    ]);
  });
}

/** Warns on stderr even with --json: each of these points can let a device in or keep one out. */
function tellWhatIsLost(restored: Restored, newTokens: boolean): void {
  const { manifest, codesDropped } = restored;
  const { paint } = terminalOf(process.stderr);
  const ctl = `${programName()} ctl`;
  const points = [
    `The old server must never run again: two servers from one backup have one identity, and devices obey both.`,
    ...tellOfRevoked(restored),
    `Devices that registered since then are unknown: they must register again (srup agent join --enrolment-code CODE).`,
    newTokens
      ? 'All API tokens are gone: the next start prints a set-up token.'
      : `API tokens revoked since then work again, newer ones don't. Look at "${ctl} tokens"; --new-tokens drops all.`,
    `Enrolment codes were dropped (${codesDropped}), because used ones would work again. Make new ones: ${ctl} codes create`,
    'Join policies, names and settings are those of then; a device is shown as it had proven itself then.',
    ...(manifest.withArtifacts ? [] : ['The backup has no artifacts: upload again what devices still need.']),
  ];
  process.stderr.write(
    `\n${paint(['bold', 'yellow'], 'WARNING: this server knows nothing of what happened since then.')}\n`,
  );
  for (const point of points) process.stderr.write(`- ${point}\n`);
}

function tellOfRevoked({ manifest, listedAt, revoked, unclear }: Restored): string[] {
  const ctl = `${programName()} ctl`;
  const since = exactTime(listedAt ?? manifest.createdAt);
  const end = `Look at "${ctl} devices" and revoke them: ${ctl} revoke DEVICE`;
  const trusted = `Devices that were deregistered or revoked since ${since} are trusted again, and nothing here can tell which.`;
  if (listedAt === undefined) {
    return [
      `${trusted} ${end}. If the old folder or the broker still has the newest revocation list, restore again into another folder with --crl FILE.`,
    ];
  }
  return [
    ...(revoked.length === 0
      ? []
      : [`According to the list of ${since} these are revoked: ${revoked.join(' ')}`]),
    `${trusted} ${end}`,
    ...(unclear.length === 0
      ? []
      : [
          `The list can't tell whether these are revoked, as their certificates in the backup had expired: ${unclear.join(' ')}. Revoke those that are no longer yours.`,
        ]),
  ];
}
