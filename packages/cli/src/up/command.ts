import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  warnOfOpenRegistration,
  warnOfPlainDatabase,
  warnOfPlainMqtt,
  writeAccess,
  writeFacts,
} from './banner.ts';
import { launch } from './launch.ts';
import { createLog, endInForm } from '../service/log.ts';
import { addServeOptions, serverOptions, type ServeOptions } from './options.ts';
import { untilAskedToStop } from '../service/stop.ts';

interface UpOptions extends ServeOptions {
  readonly folder: string;
}

export const DEFAULT_FOLDER = './.srup/server';

const AFTER = `
The first start makes a CA, keys and a set-up token, all in the folder. Keep the
folder safe and back it up with "srup backup": whoever can read it can act as
the server.

Examples:
  $ srup up
  $ srup up --folder /var/lib/srup --listen 0.0.0.0 \\
      --host fleet.example 10.0.0.5
  $ srup up --broker mqtts://broker.example:8883 --broker-ca broker-ca.pem
  $ srup up --database postgres://srup@db.example/srup \\
      --database-password-file /etc/srup/database-password

Ctrl-C (or SIGTERM) stops the server when the work in progress is done; a second
one stops it at once.

Exit codes: 0 stopped as asked; 1 stopped at once; 2 wrong use, or a port or
folder that can't be used.`;

/** Adds `srup up`, which runs a server. */
export function addUpCommand(program: Command): void {
  addServeOptions(
    program
      .command('up')
      .description('run a server: key service, MQTT broker, command and control')
      .option('--folder <folder>', 'where the server keeps everything', DEFAULT_FOLDER),
  )
    .addHelpText('after', AFTER)
    .action((options: UpOptions) => endInForm('server', options.jsonLogs === true, () => up(options)));
}

async function up(options: UpOptions): Promise<void> {
  const folder = resolve(options.folder);
  const chosen = await serverOptions(folder, options);
  const log = await createLog('server', options.logLevel, options.jsonLogs === true);
  const server = await launch({ ...chosen, log });
  const asked = untilAskedToStop();
  process.stdout.write('The SRUP server runs.\n\n');
  writeFacts(server, folder);
  writeAccess(server, folder);
  warnOfPlainMqtt(server, options, log);
  warnOfPlainDatabase(server, options, log);
  warnOfOpenRegistration(options, log);
  process.stdout.write('\nCtrl-C stops it.\n');
  await asked;
  process.stdout.write('Stopping...\n');
  await server.close();
}
