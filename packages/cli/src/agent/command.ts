import { Option, type Command } from 'commander';
import type { AskOptions } from './ask.ts';
import type { RunOptions } from './run.ts';

const DEFAULT_HOME = './.srup/agent';
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'];
const SUITES = ['ed25519', 'rsa-sha256', 'ml-dsa-65'];

const AFTER = `
The first start writes what it is told to agent.json in its home folder, where the device's keys are made too; later
starts need the folder only. Health checks, limits, action commands and the rest are described in docs/operation.md and written
in agent.json. The enrolment code may be given in SRUP_ENROLMENT_CODE instead.

Examples:
  $ srup agent --url https://fleet.example:8443 --ca-fingerprint 9F:86:... --type pump --program ./pump --home /var/lib/srup
  $ srup agent --home /var/lib/srup
  $ srup agent status --home /var/lib/srup --json

Ctrl-C (or SIGTERM) stops the agent and its program.

Exit codes: 0 stopped as asked; 1 stopped at once; 2 wrong use, or something that a person has to put right. A device
that can't register ends with 2 at its very first start only: later it goes on with its program, and "status" says why.`;

/** `srup agent`: the device. */
export function addAgentCommand(program: Command): void {
  describeAgent(program.command('agent'));
}

/** Options and subcommands, the same under either name. */
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
    .option('--enrolment-code <code>', 'the code that lets this device register, where the server wants one')
    .option('--reference-server', 'the server is a pySRUP one, which proves less (docs/interop.md)')
    .option('--program <file>', 'what runs until the first update')
    .option(
      '--run <command>',
      'how software is started; {path} stands for it. Absent: it is a program itself',
    )
    .addOption(new Option('--installer <kind>', 'what software is').choices(['process', 'file', 'command']))
    .option('--target <path>', 'installer file: where a copy of the current file is put')
    .option('--health-alive <seconds>', 'new software must live this long (default: 5)')
    .option('--health-command <command>', 'and this must end with exit code 0')
    .option('--health-url <url>', 'and this must answer with 2xx')
    .option('--host <names...>', 'hosts that software may come from; absent: any')
    .option('--allow-action <ids...>', 'dangerous actions to obey: 03 power off, 09 self-destruct')
    .option('--rejoin', 'register anew by itself when its identity has ended')
    .option('--allow-http', 'take software over plain http: for tests only')
    .option('--insecure-plain-mqtt', 'speak MQTT without TLS where the broker has none: for tests only')
    .addOption(new Option('--log-level <level>', 'how much is logged (default: info)').choices(LOG_LEVELS))
    .option('--json-logs', 'write the log as JSON lines')
    .addHelpText('after', AFTER)
    .action(async (options: RunOptions) => {
      // An agent runs for ever in little memory: it loads what it needs, and nothing else.
      const { runAgent } = await import('./run.ts');
      await runAgent(options);
    });

  const ask = (name: string, description: string) =>
    agent
      .command(name)
      .description(description)
      .option('--home <folder>', `where the device keeps everything (default: "${DEFAULT_HOME}")`)
      .option('--json', 'for programs');
  /** The folder may stand before or after the name of the command. */
  const asked = (sub: Command): AskOptions => ({ ...agent.opts<AskOptions>(), ...sub.opts() });

  const status = ask('status', 'what the device knows of itself').action(async () => {
    const { showStatus } = await import('./ask.ts');
    await showStatus(asked(status));
  });
  const defer = ask('defer <time>', 'activate no new software for a while: 30m, 12h, 7d; "off" ends that')
    .option('--reason <text>', 'what the operator is told')
    .addHelpText(
      'after',
      '\nExamples:\n  $ srup agent defer 2h --home /var/lib/srup --reason "a customer is on it"\n  $ srup agent defer off --home /var/lib/srup',
    )
    .action(async (time: string) => {
      const { deferUpdates } = await import('./defer.ts');
      await deferUpdates(time, asked(defer));
    });
  const join = ask('join', 'ask to join again; register again, where the identity has ended')
    .option('--enrolment-code <code>', 'to register with, where the server wants one')
    .addHelpText(
      'after',
      `
An identity that was given up, was revoked, or is not known to the server any more is never taken again: the device
registers as another one, for which most servers want a code (srup ctl codes create). It may be given in
SRUP_ENROLMENT_CODE instead.

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
  const deregister = ask('deregister', 'leave the server and forget the identity: it is never given again')
    .option('--yes', 'do not ask for confirmation')
    .action(async (options: { readonly yes?: true }) => {
      const { sayGoodbye } = await import('./ask.ts');
      await sayGoodbye(asked(deregister), options.yes === true);
    });
  return agent;
}
