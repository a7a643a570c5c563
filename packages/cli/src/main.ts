import { Command } from 'commander';
import { addAgentCommand } from './agent/command.ts';
import { addBackupCommands } from './backup/command.ts';
import { addAuditCommand } from './audit/command.ts';
import { addVerifyCommand } from './audit/verify.ts';
import { addBrokerConfigCommand } from './broker-config/command.ts';
import { addCtlCommand } from './ctl/command.ts';
import { addCompletionCommand } from './completion/command.ts';
import { addDatabaseCommand } from './database/command.ts';
import { addDoctorCommand } from './doctor/command.ts';
import { execute, speakPlainly, version } from './execute.ts';
import { addMessageCommand } from './message/command.ts';
import { addSimulateCommand } from './simulate/command.ts';
import { addStartCommand } from './start/command.ts';
import { addUpCommand } from './up/command.ts';

const EXIT_CODES = `
Exit codes:
  0  done
  1  a message was not valid, or a device or the server refused
  2  wrong use: an option, a file, a key
  3  the server can't be reached, or is not the one you trust
  4  a fault of srup itself`;

export function createProgram(): Command {
  const program = speakPlainly(new Command('srup'))
    .description('Secure Remote Update Protocol: run servers and devices, and manage them')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText('after', EXIT_CODES);
  // The help lists them in this order. Each command loads its modules only when it runs.
  addStartCommand(program);
  addUpCommand(program);
  addBackupCommands(program);
  addDatabaseCommand(program);
  addDoctorCommand(program);
  addAgentCommand(program);
  addBrokerConfigCommand(program);
  addCtlCommand(program);
  addAuditCommand(program);
  addVerifyCommand(program);
  addSimulateCommand(program);
  addMessageCommand(program);
  addCompletionCommand(program);
  return program;
}

/** Runs one command; `process.exitCode` is its outcome. */
export function main(argv: readonly string[]): Promise<void> {
  return execute(createProgram, argv);
}
