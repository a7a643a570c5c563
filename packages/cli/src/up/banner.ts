import { join } from 'node:path';
import type { RunningServer } from '@srup/server';
import type { Logger } from 'pino';
import { programName } from '../screen/program-name.ts';
import { terminalOf } from '../screen/terminal.ts';
import type { ServeOptions } from './options.ts';

/** Prints to stdout what a person needs to log in. It is never logged. */
export function writeFacts(server: RunningServer, folder: string): void {
  const { paint } = terminalOf(process.stdout);
  const facts = [
    ['URL', server.url],
    ['MQTT', server.brokerUrl],
    ['CA fingerprint', server.caFingerprint],
    ...(server.database === undefined ? [] : [['Database', server.database.url] as const]),
    ['Data', folder],
  ] as const;
  for (const [name, value] of facts) process.stdout.write(`  ${paint('bold', name.padEnd(16))}${value}\n`);
}

export function loginCommand({ url, caFingerprint }: RunningServer, token: string): string {
  return `${programName()} ctl login --url ${url} --ca-fingerprint ${caFingerprint} --token ${token}`;
}

/** Prints the set-up token, which only this start knows, and the next steps. */
export function writeAccess(server: RunningServer, folder: string): void {
  const { paint } = terminalOf(process.stdout);
  const write = (text: string) => process.stdout.write(`${text}\n`);
  if (server.setupToken === undefined) {
    write(
      '\nThe set-up token was used: log in with an API token. If all tokens are lost, stop the server, remove',
    );
    write(`${join(folder, 'server', 'setup-token.used')}, and start it again: it prints a new set-up token.`);
    return;
  }
  write(
    '\nSet-up token: it works once. Until one is used, every start prints a new one, and only the newest works.\n',
  );
  write(`  ${paint('bold', server.setupToken)}\n`);
  write(`Log in:\n  ${loginCommand(server, server.setupToken)}`);
  write(`See the devices:\n  ${programName()} ctl devices`);
  write(`Let a device register:\n  ${programName()} ctl codes create`);
}

/** Warns that any device can register (P 8.4). */
export function warnOfOpenRegistration(
  { openRegistration, jsonLogs }: Pick<ServeOptions, 'openRegistration' | 'jsonLogs'>,
  log: Logger,
): void {
  if (openRegistration !== true) return;
  const what = 'any device can register, without a code (--open-registration).';
  warnLoudly(what, [], jsonLogs === true ? log : undefined);
}

/** Warns of MQTT without TLS (P 7.5). */
export function warnOfPlainMqtt(
  { brokerUrl }: RunningServer,
  { jsonLogs }: Pick<ServeOptions, 'jsonLogs'>,
  log: Logger,
): void {
  if (!brokerUrl.startsWith('mqtt:')) return;
  const more = [
    'Whoever sees the network can read every message, and can see and stop what devices do. The',
    'messages are still signed. Use it for tests only: start without --insecure-plain-mqtt.',
  ];
  warnLoudly(`${brokerUrl} is MQTT without TLS.`, more, jsonLogs === true ? log : undefined);
}

/** Warns of a database to which everything goes in clear. */
export function warnOfPlainDatabase(
  { database }: RunningServer,
  { jsonLogs }: Pick<ServeOptions, 'jsonLogs'>,
  log: Logger,
): void {
  if (database?.isPlain !== true) return;
  const more = [
    'Whoever sees the network between can read what the server stores, and can change it on its way. Use it only on a',
    'network that nobody else can reach: turn TLS on in PostgreSQL, and start without --insecure-plain-database.',
  ];
  warnLoudly(`${database.url} is used without TLS.`, more, jsonLogs === true ? log : undefined);
}

/** Warns at any level of the log. `lines` is the log when stderr holds JSON lines, so that the warning is one of them. */
function warnLoudly(what: string, more: readonly string[], lines: Logger | undefined): void {
  if (lines !== undefined) {
    lines.child({}, { level: 'warn' }).warn(`WARNING: ${[what, ...more].join(' ')}`);
    return;
  }
  const { paint } = terminalOf(process.stderr);
  const told = [paint(['bold', 'red'], `WARNING: ${what}`), ...more];
  process.stderr.write(`\n${told.join('\n')}\n`);
}
