import type { Command } from 'commander';
import type { BrokerConfigOptions } from './write.ts';

const AFTER = `
Writes mosquitto.conf, acl and passwords for a Mosquitto (2.0.11 or newer) on
this machine: TLS with client certificates of this server's CA, the rules of the
protocol, the revocation list, and limits. A server must have run in the folder
once. When the command is run again, files that have changed are replaced and
the old ones kept as NAME.old. Files that another program wrote are never
replaced.

Examples:
  $ srup broker-config mosquitto --folder /var/lib/srup
  $ srup broker-config mosquitto --out /etc/mosquitto/srup --port 8883 \\
      --listen 10.0.0.5`;

/** Adds `srup broker-config`, which writes the configuration of an external broker. */
export function addBrokerConfigCommand(program: Command): void {
  program
    .command('broker-config')
    .description('write the configuration of an external MQTT broker')
    .command('mosquitto')
    .description('write the configuration of Mosquitto for a server folder')
    .option('--folder <folder>', "the server's folder", './.srup/server')
    .option('--out <folder>', 'where to write the files (default: FOLDER/mosquitto)')
    .option('--port <port>', 'the port to which devices and server connect', '8883')
    .option('--listen <address>', 'address of that port (default: all)')
    .option(
      '--sessions-port <port>',
      'the port at which the server ends sessions, on this machine only',
      '8884',
    )
    .addHelpText('after', AFTER)
    .action(async (options: BrokerConfigOptions) => {
      const { writeMosquitto } = await import('./write.ts');
      await writeMosquitto(options);
    });
}
