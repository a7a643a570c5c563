import { join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import type { DeviceView, RunningServer, ServerOptions } from '@srup/server';
import { createTeller } from '../client/tell.ts';
import { createOutput } from '../screen/output.ts';
import { programName } from '../screen/program-name.ts';
import { terminalOf } from '../screen/terminal.ts';
import { createFileLog, createLog } from '../service/log.ts';
import { untilAskedToStop } from '../service/stop.ts';
import {
  loginCommand,
  warnOfOpenRegistration,
  warnOfPlainDatabase,
  warnOfPlainMqtt,
  writeAccess,
  writeFacts,
} from '../up/banner.ts';
import { launch, makeFolder } from '../up/launch.ts';
import { addServeOptions, serverOptions, type ServeOptions } from '../up/options.ts';
import { UserError } from '../user-error.ts';
import { DEMO_NAME, demoPrograms, startDemo, type DemoDevice } from './demo.ts';

interface StartOptions extends ServeOptions {
  readonly folder: string;
  readonly demo: boolean;
}

const DEFAULT_FOLDER = './.srup';

const AFTER = `
Everything is kept in the folder, and the next start continues from there.
"srup up" runs the server alone.

Examples:
  $ srup start
  $ srup start --no-demo --listen 0.0.0.0 --host fleet.example
  $ srup start --https-port 9443 --mqtts-port 9883

Ctrl-C stops everything; a second one stops it at once.

Exit codes: 0 stopped as asked; 1 stopped at once; 2 wrong use, or a port or
folder that can't be used.`;

/** Adds `srup start`, which `npm start` runs. */
export function addStartCommand(program: Command): void {
  addServeOptions(
    program
      .command('start')
      .description('try it out: run a server and one demo device on this machine')
      .option('--folder <folder>', 'the folder that keeps everything', DEFAULT_FOLDER)
      .option('--no-demo', 'do not run the demo device'),
  )
    .addHelpText('after', AFTER)
    .action(start);
}

async function start(options: StartOptions): Promise<void> {
  const folder = resolve(options.folder);
  const programs = options.demo ? demoPrograms() : undefined;
  if (options.demo && programs === undefined) {
    throw new UserError(
      'the demo is not part of the installed package',
      'Start with --no-demo, or in a checkout of the repository.',
    );
  }
  if (options.demo && options.openRegistration === true) {
    throw new UserError(
      'with --open-registration any stranger could join as a demo device',
      'Give --no-demo too, or leave it out.',
    );
  }
  const chosen = await serverOptions(join(folder, 'server'), options);
  const log = await openLog(folder, options);
  say('Starting the SRUP server...');
  const server = await launch({ ...chosen, log });
  warnOfPlainMqtt(server, options, log);
  warnOfPlainDatabase(server, options, log);
  warnOfOpenRegistration(options, log);
  let demo: DemoDevice | undefined;
  const asked = untilAskedToStop(() => demo?.hurry());
  try {
    if (programs !== undefined) {
      say('Starting the demo device...');
      demo = await startDemo(
        server,
        join(folder, DEMO_NAME),
        join(folder, `${DEMO_NAME}.log`),
        programs.first,
      );
      const outcome = await Promise.race([demo.joined(), asked]);
      if (outcome === 'stop') return;
      await welcome(server, folder, outcome, programs.second);
      tellLive(server);
      void demo.ended.then((how) => {
        say(`The demo device ended ${how}. Its log: ${shownPath(join(folder, `${DEMO_NAME}.log`))}`);
      });
    } else {
      say('The SRUP server runs.\n');
      writeFacts(server, chosen.folder);
      writeAccess(server, chosen.folder);
      say('\nCtrl-C stops it.');
    }
    await asked;
  } finally {
    say('\nStopping...');
    await demo?.stop();
    await server.close();
  }
}

/** Opens the log. With the demo the screen is for people, so the log goes to a file. */
async function openLog(folder: string, options: StartOptions): Promise<ServerOptions['log']> {
  const { demo, logLevel, jsonLogs } = options;
  await makeFolder(folder);
  if (!demo || jsonLogs === true) return createLog('server', logLevel, jsonLogs === true);
  return createFileLog(join(folder, 'server.log'), logLevel);
}

/** Prints what a first look at the running system needs. `device` is undefined when it has not joined. */
async function welcome(
  server: RunningServer,
  folder: string,
  device: DeviceView | undefined,
  second: string,
): Promise<void> {
  const { paint } = terminalOf(process.stdout);
  if (device === undefined) {
    say(
      `${paint('yellow', 'The demo device has not joined yet.')} Its log says why: ${shownPath(join(folder, `${DEMO_NAME}.log`))}`,
    );
  } else {
    // A name that an operator gave it stays.
    const { id, name } = device.name === undefined ? await server.fleet.rename(device.id, DEMO_NAME) : device;
    say(`${paint('green', 'The SRUP server runs')}, and ${name ?? DEMO_NAME} (${id}) has joined it.`);
  }
  say('');
  writeFacts(server, shownPath(folder));
  const { setupToken } = server;
  if (setupToken === undefined) {
    say(
      '\nThis start continues where the last one stopped. The set-up token was used and is not printed again: log in with an',
    );
    say('API token, or use the login that you have.');
  } else {
    say(
      '\nSet-up token: it works once. Until one is used, every start prints a new one, and only the newest works.\n',
    );
    say(`  ${paint('bold', setupToken)}`);
  }
  const target = device?.name ?? DEMO_NAME;
  const steps = [
    ...(setupToken === undefined ? [] : [['log in', loginCommand(server, setupToken)]]),
    ['see the device and what it has proven', `${programName()} ctl device ${target}`],
    ...(setupToken === undefined ? [['watch what happens', `${programName()} ctl watch`]] : []),
    ['update it to version 2', `${programName()} ctl update ${target} ${shownPath(second)} --version 2.0.0`],
  ] as const;
  say('\nTry next, in another terminal in this folder:\n');
  steps.forEach(([what, command], index) => {
    say(`  ${index + 1}. ${what}:\n     ${paint('cyan', command)}`);
  });
  say('\nCtrl-C stops everything. Events appear here:\n');
}

/** Prints events, without data: the demo sends some every few seconds. */
function tellLive({ fleet }: RunningServer): void {
  const output = createOutput(false);
  const tell = createTeller();
  fleet.watch((event) => {
    const cells = event.kind === 'data' ? undefined : tell(event);
    if (cells !== undefined) output.line('', ...cells);
  });
}

/** The path as a person would type it in this folder. */
function shownPath(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
