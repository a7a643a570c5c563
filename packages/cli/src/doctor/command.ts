import type { Command } from 'commander';
import { DEFAULT_FOLDER } from '../up/command.ts';
import type { ServerDoctorOptions } from './run.ts';

const AFTER = `
Checks the folder, the disk, the databases, the audit trail and its witnesses,
the certificates and the clock, and connects to the ports. It tests the broker
with throw-away identities: what a device may do and what must be denied.
Nothing is changed. Run it on the server's machine, as the server's user.

Examples:
  $ srup doctor --folder /var/lib/srup
  $ srup doctor --folder /var/lib/srup --url https://fleet.example:8443 \\
      --broker mqtts://fleet.example:8883 --json
  $ srup doctor agent --home /var/lib/srup-agent

Exit codes: 0 nothing failed (there may be warnings); 1 something failed;
2 wrong use.`;

/** Adds `srup doctor` and `srup doctor agent`. */
export function addDoctorCommand(program: Command): void {
  const doctor = program
    .command('doctor')
    .description('find out what is wrong with a server or an agent')
    .option('--folder <folder>', 'where the server keeps everything', DEFAULT_FOLDER)
    .option('--url <url>', 'the address of the server', 'https://localhost:8443')
    .option('--broker <url>', 'the address of its broker', 'mqtts://localhost:8883')
    .option(
      '--broker-ca <file>',
      "PEM file with the CA of the broker's certificate (default: this server's own CA)",
    )
    .option('--json', 'print JSON on stdout, for programs')
    .addHelpText('after', AFTER)
    .action(async (options: ServerDoctorOptions) => {
      const { examineServer } = await import('./run.ts');
      await examineServer(options, program.version() ?? '');
    });
  const agent = doctor
    .command('agent')
    .description('find out what is wrong with a device')
    .option('--home <folder>', 'where the device keeps everything', './.srup/agent')
    .option('--json', 'print JSON on stdout, for programs')
    .addHelpText('after', '\nExit codes: the same as those of "srup doctor".')
    .action(async (options: { readonly home: string; readonly json?: true }) => {
      const { examineAgent } = await import('./run.ts');
      await examineAgent({ ...doctor.opts<{ json?: true }>(), ...options, ...agent.opts() });
    });
}
