import { join } from 'node:path';
import type { RunningServer } from '@srup/server';
import type { Logger } from 'pino';
import { programName } from '../screen/program-name.ts';
import { terminalOf } from '../screen/terminal.ts';
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
    '\nSet-up token: it works once. Until one was used, every start prints a new one, and only that counts.\n',
  );
  write(`  ${paint('bold', server.setupToken)}\n`);
  write(`Log in:\n  ${loginCommand(server, server.setupToken)}`);
  write(`See the devices:\n  ${programName()} ctl devices`);
  write(`Let a device register:\n  ${programName()} ctl codes create`);
}

/** P 8.4. */
export function warnOfOpenRegistration(
  { openRegistration, jsonLogs }: Pick<ServeOptions, 'openRegistration' | 'jsonLogs'>,
  log: Logger,
): void {
  if (openRegistration !== true) return;
  const what = 'any device may register, without a code (--open-registration).';
  warnLoudly(what, [], jsonLogs === true ? log : undefined);
}

/** P 7.5. */
export function warnOfPlainMqtt(
  { brokerUrl }: RunningServer,
  { jsonLogs }: Pick<ServeOptions, 'jsonLogs'>,
  log: Logger,
): void {
  if (!brokerUrl.startsWith('mqtt:')) return;
  const more = [
    'Whoever sees the network reads every message that goes through it, and can see and stop what devices do. The',
    'messages are still signed. Use it for tests only: start without --insecure-plain-mqtt.',
  ];
  warnLoudly(`${brokerUrl} is MQTT without TLS.`, more, jsonLogs === true ? log : undefined);
}

/** Whatever the level of the log. `lines`: the log, when stderr is lines of JSON and this must be one of them. */
function warnLoudly(what: string, more: readonly string[], lines: Logger | undefined): void {
  if (lines !== undefined) {
    lines.child({}, { level: 'warn' }).warn(`WARNING: ${[what, ...more].join(' ')}`);
    return;
  }
  const { paint } = terminalOf(process.stderr);
  const told = [paint(['bold', 'red'], `WARNING: ${what}`), ...more];
  process.stderr.write(`\n${told.join('\n')}\n`);
}
