import { Option, type Command } from 'commander';
import type { AskOptions } from './ask.ts';
import type { RunOptions } from './run.ts';

const DEFAULT_HOME = './.srup/agent';
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'];
const SUITES = ['ed25519', 'rsa-sha256', 'ml-dsa-65'];

const AFTER = `
The first start writes its options to agent.json in the home folder and makes
the device's keys there; later starts need the folder only. Health checks,
limits, action commands and other settings are written in agent.json:
docs/operation.md describes them. The enrolment code can also be given in
SRUP_ENROLMENT_CODE.

Examples:
  $ srup agent --url https://fleet.example:8443 --ca-fingerprint 9F:86:... \\
      --type pump --program ./pump --home /var/lib/srup
  $ srup agent --home /var/lib/srup
  $ srup agent status --home /var/lib/srup --json

Ctrl-C (or SIGTERM) stops the agent and its program.

Exit codes: 0 stopped as asked; 1 stopped at once; 2 wrong use, or a problem
that a person has to solve. A device that can't register ends with 2 at its very
first start only. Later it runs its program and "status" says what is wrong.`;

/** Adds `srup agent`, which runs a device. */
export function addAgentCommand(program: Command): void {
  describeAgent(program.command('agent'));
}

/** Adds the options and subcommands, which `srup agent` and `srup-agent` share. */
export function describeAgent(agent: Command): Command {
  agent
    .description('run a device: join a server, and keep its software up to date')
    .option('--home <folder>', 'where the device keeps everything', DEFAULT_HOME)
    .option('--url <url>', 'where to register: the https address of the server')
    .option('--ca-fingerprint <sha256>', "fingerprint of the server's CA, as the server prints it")
    .option('--ca-file <file>', "PEM file with the server's CA, instead of its fingerprint")
    .option('--type <type>', 'device type, as the policies of the server name it')
    .addOption(
      new Option(
        '--suite <suite>',
        'kind of keys (default: ed25519; with --reference-server: rsa-sha256)',
      ).choices(SUITES),
    )
    .option('--enrolment-code <code>', 'the code with which this device registers, if the server needs one')
    .option('--reference-server', 'the server is pySRUP, which proves less (docs/interop.md)')
    .option('--program <file>', 'the program that runs until the first update')
    .option(
      '--run <command>',
      'how to start the software; {path} stands for its file (default: run the file itself)',
    )
    .addOption(
      new Option('--installer <kind>', 'how software is installed').choices(['process', 'file', 'command']),
    )
    .option('--target <path>', 'with --installer file: where to put a copy of the current file')
    .option('--health-alive <seconds>', 'new software must run for this long (default: 5)')
    .option('--health-command <command>', 'and this must end with exit code 0')
    .option('--health-url <url>', 'and this must answer with 2xx')
    .option('--host <names...>', 'hosts that software may come from (default: any)')
    .option('--allow-action <ids...>', 'dangerous actions to obey: 03 power off, 09 self-destruct')
    .option('--rejoin', 'register again without being asked when the identity has ended')
    .option('--allow-http', 'download software over plain http; for tests only')
    .option('--insecure-plain-mqtt', 'use MQTT without TLS if the broker has none; for tests only')
    .addOption(new Option('--log-level <level>', 'how much is logged (default: info)').choices(LOG_LEVELS))
    .option('--json-logs', 'write the log as JSON lines')
    .addHelpText('after', AFTER)
    .action(async (options: RunOptions) => {
      // An agent runs forever in little memory, so it loads only what it needs.
      const { runAgent } = await import('./run.ts');
      await runAgent(options);
    });

  const ask = (name: string, description: string) =>
    agent
      .command(name)
      .description(description)
      .option('--home <folder>', `where the device keeps everything (default: "${DEFAULT_HOME}")`)
      .option('--json', 'print JSON on stdout, for programs');
  /** Finds `--home`, which can stand before or after the name of the subcommand. */
  const asked = (sub: Command): AskOptions => ({ ...agent.opts<AskOptions>(), ...sub.opts() });

  const status = ask('status', 'show what the device knows about itself').action(async () => {
    const { showStatus } = await import('./ask.ts');
    await showStatus(asked(status));
  });
  const defer = ask('defer <time>', 'defer the activation of new software: 30m, 12h, 7d; "off" ends that')
    .option('--reason <text>', 'the reason that the operator sees')
    .addHelpText(
      'after',
      '\nExamples:\n  $ srup agent defer 2h --home /var/lib/srup --reason "a customer is on it"\n  $ srup agent defer off --home /var/lib/srup',
    )
    .action(async (time: string) => {
      const { defer: deferInFolder } = await import('./defer.ts');
      await deferInFolder(time, asked(defer));
    });
  const join = ask('join', 'ask to join again; register again if the identity has ended')
    .option('--enrolment-code <code>', 'the code to register with, if the server needs one')
    .addHelpText(
      'after',
      `
An identity that was given up, was revoked, or is no longer known to the server
is never accepted again. The device registers as another one, for which most
servers need a code (srup ctl codes create). The code can also be given in
SRUP_ENROLMENT_CODE.

Example:
  $ srup agent join --home /var/lib/srup --enrolment-code CODE`,
    )
    .action(async () => {
      const { joinAgain } = await import('./join.ts');
      await joinAgain(asked(join));
    });
  const resign = ask('resign', 'leave the server and keep the identity').action(async () => {
    const { command } = await import('./ask.ts');
    await command('resign', asked(resign));
  });
  const deregister = ask(
    'deregister',
    'leave the server and delete the identity, which can never be restored',
  )
    .option('--yes', 'do not ask for confirmation')
    .action(async (options: { readonly yes?: true }) => {
      const { sayGoodbye } = await import('./ask.ts');
      await sayGoodbye(asked(deregister), options.yes === true);
    });
  return agent;
}
