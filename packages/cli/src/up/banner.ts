import { join } from 'node:path';
import type { RunningServer } from '@srup/server';
import { programName } from '../ctl/program-name.ts';
import { terminalOf } from '../terminal.ts';
import type { ServeOptions } from './options.ts';

/** What a person needs to log in; printed to stdout, never logged. */
export function writeFacts(server: RunningServer, folder: string): void {
  const { paint } = terminalOf(process.stdout);
  const facts = [
    ['URL', server.url],
    ['MQTT', server.brokerUrl],
    ['CA fingerprint', server.caFingerprint],
    ['Data', folder],
  ] as const;
  for (const [name, value] of facts) process.stdout.write(`  ${paint('bold', name.padEnd(16))}${value}\n`);
}

export function loginCommand({ url, caFingerprint }: RunningServer, token: string): string {
  return `${programName()} ctl login --url ${url} --ca-fingerprint ${caFingerprint} --token ${token}`;
}

/** What only this start can tell, and what to do next. */
export function writeAccess(server: RunningServer, folder: string): void {
  const { paint } = terminalOf(process.stdout);
  const write = (text: string) => process.stdout.write(`${text}\n`);
  if (server.setupToken === undefined) {
    write(
      '\nThe set-up token was used: log in with an API token. If all of them are lost, stop the server, remove',
    );
    write(`${join(folder, 'server', 'setup-token.used')}, and start it again: it prints a new set-up token.`);
    return;
  }
  write(
    '\nSet-up token: it works once, and is printed this once (every start prints a new one until one is used)\n',
  );
  write(`  ${paint('bold', server.setupToken)}\n`);
  write(`Log in:\n  ${loginCommand(server, server.setupToken)}`);
  write(`See the devices:\n  ${programName()} ctl devices`);
  write(`Let a device register:\n  ${programName()} ctl codes create`);
}

/** Loud, and whatever the level of the log (P 8.4). */
export function warnOfOpenRegistration({ openRegistration }: Pick<ServeOptions, 'openRegistration'>): void {
  if (openRegistration !== true) return;
  const { paint } = terminalOf(process.stderr);
  process.stderr.write(
    `\n${paint(['bold', 'red'], 'WARNING: any device may register, without a code (--open-registration).')}\n`,
  );
}

/** Loud, and whatever the level of the log (P 7.5). */
export function warnOfPlainMqtt({ brokerUrl }: RunningServer): void {
  if (!brokerUrl.startsWith('mqtt:')) return;
  const { paint } = terminalOf(process.stderr);
  process.stderr.write(
    `\n${paint(['bold', 'red'], `WARNING: ${brokerUrl} is MQTT without TLS.`)}\n` +
      'Whoever sees the network reads every message that goes through it, and can see and stop what devices do. The\n' +
      'messages are still signed. Use it for tests only: start without --insecure-plain-mqtt.\n',
  );
}
