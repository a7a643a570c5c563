import { resolve } from 'node:path';
import { createOutput } from '../screen/output.ts';
import { byteCount, exactTime } from '../screen/words.ts';
import { terminalOf } from '../screen/terminal.ts';
import { environmentPassword } from '../service/database.ts';
import { toldWithProgress } from './progress.ts';
import { readPassphrase } from './passphrase.ts';

export interface BackupCommandOptions {
  readonly folder: string;
  readonly artifacts: boolean;
  readonly passphraseFile?: string;
  readonly json?: true;
}

const DOING = { copy: 'copying', compare: 'comparing', pack: 'packing' } as const;

/** Runs `srup backup FILE`. */
export async function backup(name: string, options: BackupCommandOptions): Promise<void> {
  const output = createOutput(options.json === true);
  const passphrase = await readPassphrase(options.passphraseFile);
  const password = await environmentPassword();
  const { createBackup } = await import('@srup/server');
  const file = resolve(name);
  const made = await toldWithProgress(DOING, 'pack', (onProgress) =>
    createBackup({
      folder: resolve(options.folder),
      file,
      withArtifacts: options.artifacts,
      passphrase,
      password,
      now: Date.now(),
      onProgress,
    }),
  );
  const { manifest, missing, bytes, sha256 } = made;
  const { serverId, createdAt, files, withArtifacts } = manifest;
  const isEncrypted = passphrase !== undefined;
  output.result(
    { file, bytes, sha256, serverId, createdAt, files: files.length, withArtifacts, isEncrypted, missing },
    () => {
      output.facts([
        ['Backup', file],
        ['Server', serverId],
        ['As of', exactTime(createdAt)],
        ['Size', `${byteCount(bytes)} (${files.length} files${withArtifacts ? '' : ', no artifacts'})`],
        ['SHA-256', sha256],
      ]);
    },
  );
  for (const digest of missing) {
    output.note(`The artifact ${digest} is listed but its file is missing, so it is not in the backup.`);
  }
  if (isEncrypted)
    output.note('The backup opens with the passphrase only; without it, the backup is useless.');
  else warnOfKeys();
}

function warnOfKeys(): void {
  const { paint } = terminalOf(process.stderr);
  process.stderr.write(
    `${paint(['bold', 'yellow'], 'WARNING: the file holds the private keys of the server and of its CA, unencrypted.')}\n` +
      'Whoever reads it can command your devices. Guard it as you guard the server, or make it with --passphrase-file.\n',
  );
}
