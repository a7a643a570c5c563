import type { Command } from 'commander';
import { addCodes } from './admission/codes.ts';
import { addJoins } from './admission/joins.ts';
import { addPolicy } from './admission/policy.ts';
import { addRegistration } from './admission/registration.ts';
import { addTokens } from './admission/tokens.ts';
import { addLogin, addLogout } from './login/login.ts';
import { addBroker } from './look/broker.ts';
import { addDevices } from './look/devices.ts';
import { addEvidence } from './look/evidence.ts';
import { addWatch } from './look/watch.ts';
import { addActions } from './order/action.ts';
import { addData } from './order/data.ts';
import { addLeave } from './order/leave.ts';
import { addArtifacts } from './software/artifacts.ts';
import { addRollback } from './software/rollback.ts';
import { addUpdate } from './software/update.ts';

const GROUPS: readonly (readonly [heading: string, ...adds: ((ctl: Command) => void)[]])[] = [
  ['Log in:', addLogin, addLogout],
  ['Show:', addDevices, addWatch, addEvidence, addBroker],
  ['Software:', addArtifacts, addUpdate, addRollback],
  ['Command:', addActions, addData, addLeave],
  ['Admit:', addJoins, addPolicy, addCodes, addRegistration, addTokens],
];

const AFTER = `
A device is named by its id, its name, or the beginning of its id (4 digits or
more) if no other device has the same.

Environment:
  SRUP_URL, SRUP_TOKEN  server and API token, instead of those of a login
  SRUP_CA               PEM file with the CA certificate of the server
  SRUP_CONFIG           file with the logins, instead of
                        $XDG_CONFIG_HOME/srup/ctl.json
  NO_COLOR              no colours

Begin:
  $ srup ctl login --url https://localhost:8443 --ca-fingerprint 3f9a... \\
      --token TOKEN
  $ srup ctl devices
  $ srup ctl update pump-7 build/pump.tar.gz`;

export function addCtlCommand(program: Command): void {
  // Here `--version` is a version of software; before the command it prints the version of srup.
  program.enablePositionalOptions();
  const ctl = program
    .command('ctl')
    .description('manage the devices of a server')
    .configureHelp({ subcommandTerm: termOf })
    .addHelpText('after', AFTER);
  for (const [heading, ...adds] of GROUPS) {
    ctl.commandsGroup(heading);
    for (const add of adds) add(ctl);
  }
}

/** The name and arguments of a command, without "[options]", which every command has. */
function termOf(command: Command): string {
  const own = command.usage().replace(/\[(options|command)\] ?/g, '');
  const below = command.commands.map((sub) => sub.name()).join('|');
  return [command.name(), own, below === '' ? '' : `[${below}]`].filter((part) => part !== '').join(' ');
}
