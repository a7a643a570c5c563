import { Option, type Command } from 'commander';
import { DEFAULT_PROFILE } from '../client/profile.ts';
import { FAULT_NAMES } from './choose.ts';
import { describeFault, optionOf } from './report.ts';
import type { SimulateOptions } from './run.ts';

const SUITES = ['ed25519', 'rsa-sha256', 'ml-dsa-65'];

const AFTER = `
The server can't tell a simulated device from another one: it registers over
HTTPS with its own keys, connects over MQTT with its certificate, asks to join,
verifies and signs every message, downloads what it is told to and checks the
digest. Only starting the software is simulated. Without --url the command uses
the login of "srup ctl" and makes an enrolment code for all the devices. A share
of the devices can have faults; the same seed gives them to the same devices.

Examples:
  $ srup simulate --devices 100 --accept-joins
  $ srup simulate --devices 1000 --keep ./fleet --offline 5% \\
      --failing-health 2% --defer 10%
  $ srup simulate --devices 20 --url https://fleet.example:8443 \\
      --ca-fingerprint 9F:86:... --enrolment-code CODE
  $ srup simulate --devices 50 --until updated --for 10m --leave --json

It runs until Ctrl-C, or as long as --until and --for say. A second Ctrl-C ends
it at once.

Exit codes:
  0  done
  1  some devices did not finish in time, or the server refused
  2  wrong use: an option, a file, a code
  3  the server can't be reached, or is not the one you trust`;

/** Adds `srup simulate`, which runs many devices in one process. */
export function addSimulateCommand(program: Command): void {
  const command = program
    .command('simulate')
    .description('simulate a fleet: many devices in one process, with faults on demand')
    .option('--devices <count>', 'how many devices', '10')
    .option('--url <url>', 'the https address of the server (default: that of your login)')
    .option('--ca-fingerprint <sha256>', "fingerprint of the server's CA, as the server prints it")
    .option('--ca-file <file>', "PEM file with the server's CA, instead of its fingerprint")
    .option('--enrolment-code <code>', 'a code with enough uses; can also be given in SRUP_ENROLMENT_CODE')
    .option('--profile <name>', 'the login to use', DEFAULT_PROFILE)
    .option('--type <type>', 'device type, as the policies of the server name it', 'simulated')
    .addOption(new Option('--suite <suite>', 'kind of keys').choices(SUITES).default('ed25519'))
    .option('--accept-joins', 'set the join policy of the type to accept, with your login')
    .option('--keep <folder>', 'keep the devices there, keys included, for the next run')
    .option('--seed <text>', 'decides which devices have which faults, and when', '1');
  for (const fault of FAULT_NAMES) command.option(`--${optionOf(fault)} <share>`, describeFault(fault));
  command
    .option('--return-after <time>', 'offline devices come back after this time: 30s, 10m (default: never)')
    .addOption(
      new Option('--until <what>', 'end when all have joined, or when all have finished an update').choices([
        'joined',
        'updated',
      ]),
    )
    .option('--for <time>', 'end after this time: 30s, 10m, 2h')
    .option('--leave', 'deregister all devices at the end')
    .option('--json', 'print JSON on stdout, for programs')
    .addHelpText('after', AFTER)
    .action(async (options: SimulateOptions) => {
      const { simulate } = await import('./run.ts');
      await simulate(options);
    });
}
