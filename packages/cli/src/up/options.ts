import { networkInterfaces, hostname } from 'node:os';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { ServerOptions } from '@srup/server';
import {
  addDatabaseOptions,
  databaseNote,
  environmentPassword,
  type DatabaseOptions,
} from '../service/database.ts';
import { UserError } from '../user-error.ts';

/** The options that `srup up` and `srup start` share. */
export interface ServeOptions extends DatabaseOptions {
  readonly host?: readonly string[];
  readonly listen?: string;
  readonly httpsPort: string;
  readonly mqttsPort: string;
  readonly publicUrl?: string;
  readonly publicMqttsUrl?: string;
  readonly broker?: string;
  readonly brokerCa?: string;
  readonly brokerSessions?: string;
  readonly brokerReload?: string;
  readonly certificateDays?: string;
  readonly openRegistration?: true;
  readonly insecurePlainMqtt?: true;
  readonly witness?: readonly string[];
  readonly logLevel: string;
  readonly jsonLogs?: true;
}

const HTTPS_PORT = '8443';
const MQTTS_PORT = '8883';
/** Addresses of this machine; "localhost" reaches them too, and is always in the certificate. */
const LOCAL = ['127.0.0.1', '::1'];
const DAY_MS = 86_400_000;
/** The longest life of a certificate (P 8.3). */
const MOST_DAYS = 365;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'];

const DATABASE =
  'keep everything but keys, certificates and artifacts in this PostgreSQL: postgres://USER@HOST:PORT/NAME (default: SQLite files in the folder; the folder remembers it)';

export function addServeOptions(command: Command): Command {
  addPlaces(command);
  addDatabaseOptions(command, DATABASE);
  return command
    .option('--certificate-days <days>', 'how long certificates are valid: 1 to 365 (default: 365)')
    .addOption(
      new Option(
        '--open-registration',
        'let any device register; whether it joins is still decided',
      ).conflicts('enrolmentRequired'),
    )
    .option('--enrolment-required', 'let only devices with an enrolment code register (default)')
    .addOption(
      new Option(
        '--insecure-plain-mqtt',
        'use MQTT without TLS at the embedded broker: others can read what goes through it',
      ).conflicts('broker'),
    )
    .option(
      '--witness <places...>',
      'files or https URLs in the care of somebody else that receive the signed checkpoints of the audit trail',
    )
    .addOption(new Option('--log-level <level>', 'how much is logged').choices(LOG_LEVELS).default('info'))
    .option('--json-logs', 'write the log as JSON lines');
}

function addPlaces(command: Command): void {
  command
    .option(
      '--host <names...>',
      'names and addresses by which others reach this server; the first is in its URL',
    )
    .option(
      '--listen <address>',
      'address to listen on; 0.0.0.0: all, which needs --host (default: this machine only)',
    )
    .option('--https-port <port>', 'port of the API, the key service and the artifacts', HTTPS_PORT)
    .option('--mqtts-port <port>', 'port of the embedded MQTT broker', MQTTS_PORT)
    .option('--public-url <url>', 'how others reach the HTTPS port through a forwarder: https://HOST:PORT')
    .option('--public-mqtts-url <url>', 'the same for the embedded broker: mqtts://HOST:PORT')
    .option('--broker <url>', 'use this MQTT broker instead of the embedded one: mqtts://HOST:PORT')
    .option(
      '--broker-ca <file>',
      "PEM file with the CA of that broker's certificate (default: this server's own CA)",
    )
    .option(
      '--broker-sessions <url>',
      'where the server ends the sessions of revoked devices at that broker: mqtts://HOST:PORT (see srup broker-config)',
    )
    .option(
      '--broker-reload <command>',
      'program and arguments, without a shell, that make that broker read its files again when they have changed',
    );
}

/** The server's options from those of the command line, without the log. */
export async function serverOptions(
  folder: string,
  options: ServeOptions,
): Promise<Omit<ServerOptions, 'log'>> {
  checkReach(options);
  const { host, listen } = options;
  const hosts = host ?? (listen === undefined || LOCAL.includes(listen) ? undefined : [listen]);
  const broker = await brokerOptions(options);
  const [database, databasePassword] = [databaseNote(options), await environmentPassword(options)];
  return {
    folder,
    httpsPort: parsePort(options.httpsPort, '--https-port'),
    mqttsPort: parsePort(options.mqttsPort, '--mqtts-port'),
    requireEnrolmentCode: options.openRegistration !== true,
    ...(hosts === undefined ? {} : { hosts }),
    ...(listen === undefined ? {} : { listen }),
    ...publicUrls(options),
    ...(broker === undefined ? {} : { broker }),
    ...(database === undefined ? {} : { database }),
    ...(databasePassword === undefined ? {} : { databasePassword }),
    ...(options.certificateDays === undefined ? {} : { certificateMs: lifeOf(options.certificateDays) }),
    ...(options.insecurePlainMqtt === true ? { insecurePlainMqtt: true } : {}),
    ...(options.witness === undefined ? {} : { witnesses: options.witness.map(parseWitness) }),
  };
}

/** A witness: an https URL, or a file with its absolute path, so that it does not depend on the current folder. */
function parseWitness(place: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(place)) return resolve(place);
  if (URL.parse(place)?.protocol === 'https:') return place;
  throw new UserError(
    `--witness ${place} is not an https URL`,
    'Write it as https://HOST/PATH, or name a file.',
  );
}

function lifeOf(text: string): number {
  const days = Number(text);
  if (/^[1-9]\d{0,2}$/.test(text) && days <= MOST_DAYS) return days * DAY_MS;
  throw new UserError(`--certificate-days ${text} is not possible`, `Write a number from 1 to ${MOST_DAYS}.`);
}

function publicUrls({ publicUrl, publicMqttsUrl }: ServeOptions) {
  return {
    ...(publicUrl === undefined ? {} : { publicUrl: originOf(publicUrl, 'https:', '--public-url') }),
    ...(publicMqttsUrl === undefined
      ? {}
      : { publicBrokerUrl: originOf(publicMqttsUrl, 'mqtts:', '--public-mqtts-url') }),
  };
}

/** The origin of a URL, without a slash at its end. */
function originOf(text: string, protocol: string, flag: string): string {
  const url = URL.parse(text);
  if (url?.protocol === protocol && url.hostname !== '' && url.search === '' && /^\/?$/.test(url.pathname)) {
    return `${protocol}//${url.host}`;
  }
  throw new UserError(
    `${flag} ${text} is not an address that can be used`,
    `Write it as ${protocol}//HOST:PORT`,
  );
}

async function brokerOptions(options: ServeOptions): Promise<ServerOptions['broker']> {
  const { broker, brokerCa, brokerSessions, brokerReload } = options;
  if (broker === undefined) {
    const [lone] = Object.entries({ brokerCa, brokerSessions, brokerReload }).filter(
      ([, value]) => value !== undefined,
    );
    if (lone === undefined) return undefined;
    throw new UserError(
      `--${lone[0].replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)} is given without --broker`,
      'Name the broker too: --broker mqtts://HOST:8883',
    );
  }
  const { readCa } = await import('../client/profile.ts');
  return {
    url: brokerAddress(broker),
    ...(brokerCa !== undefined && { ca: await readCa(brokerCa) }),
    ...(brokerSessions !== undefined && { sessionsUrl: brokerAddress(brokerSessions) }),
    ...(brokerReload !== undefined && { reload: brokerReload.trim().split(/\s+/) }),
  };
}

function brokerAddress(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === 'mqtts:' && url.hostname !== '') return text;
  throw new UserError(
    `"${text}" is not a broker that can be used: it must use TLS`,
    'Write it as mqtts://HOST:8883',
  );
}

/** A server that others can reach needs a name that is in its certificate. */
function checkReach({ listen, host }: ServeOptions): void {
  if (listen === undefined) return;
  if (isIP(listen) === 0)
    throw new UserError(
      `--listen ${listen} is not an address`,
      'Write an IP address; a name goes to --host.',
    );
  const isEverywhere = listen === '0.0.0.0' || listen === '::';
  if (!isEverywhere || host !== undefined) return;
  throw new UserError(
    `with --listen ${listen} others can connect, but no name for this server is given`,
    `Certificates and URLs need one: --host ${[hostname(), ...ownAddresses()].join(' ')}`,
  );
}

function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.filter(({ internal, family }) => !internal && family === 'IPv4').map(({ address }) => address);
}

export function parsePort(text: string, flag: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new UserError(
    `${flag} ${text} is not a port`,
    'A port is a number from 1 to 65535; 0 takes any free one.',
  );
}
