import { hostname, userInfo } from 'node:os';
import type { Command } from 'commander';
import type { PinError, Secret } from '@srup/node';
import { UserError } from '../../user-error.ts';
import { openApi } from '../../client/api.ts';
import { unreachable } from '../../failure.ts';
import { createOutput } from '../../screen/output.ts';
import { askSecret, askText, canAsk, confirmTyped, readSecretLine } from '../../screen/prompts.ts';
import {
  checkUrl,
  forgetLogin,
  keptCa,
  profileFile,
  readCa,
  saveLogin,
  tryToKeep,
  type Login,
} from '../../client/profile.ts';
import { defineCommand, reportFailures, type CommonOptions } from '../../client/session.ts';
import { failureOf } from '../../client/transport.ts';
import type { AnswerTo, TokenView } from '../../client/views.ts';

interface LoginOptions extends CommonOptions {
  readonly url?: string;
  readonly token?: string;
  readonly ca?: string;
  readonly caFingerprint?: string;
  readonly name?: string;
}

const API_TOKEN_START = 'srup_';
const FINGERPRINT = /^([0-9a-f]{2}:?){31}[0-9a-f]{2}$/i;
const LOCAL_URL = 'https://localhost:8443';

export function addLogin(ctl: Command): void {
  defineCommand(ctl, 'login', 'log in with the set-up token of a new server, or with an API token', [
    'login --url https://localhost:8443 --ca-fingerprint 3f9a... \\\n      --token TOKEN',
    'login --url https://fleet.example:8443 --ca ca.pem \\\n      --token - < token.txt',
    'login --profile field --url https://10.0.0.5:8443 \\\n      --ca-fingerprint 3f9a...',
  ])
    .option('--url <url>', 'address of the server, as "srup up" prints it')
    .option('--token <token>', 'set-up token or API token; "-": read it from stdin (default: ask)')
    .option('--ca <file>', "PEM file with the server's CA certificate")
    .option('--ca-fingerprint <hex>', 'SHA-256 of that certificate, as "srup up" prints it')
    .option('--name <name>', 'name of the API token that replaces the set-up token')
    .action((options: LoginOptions) => reportFailures(() => logIn(options)));
}

export function addLogout(ctl: Command): void {
  defineCommand(ctl, 'logout', 'remove a login from this machine; its API token stays valid', [
    'logout',
    'logout --profile field --yes',
  ])
    .option('--yes', 'do not ask')
    .action((options: CommonOptions & { readonly yes?: true }) =>
      reportFailures(async () => {
        const what = `The token of the profile "${options.profile}" will be removed here and can't be shown again`;
        await confirmTyped(what, options.profile, options.yes === true);
        if (!(await forgetLogin(options.profile))) {
          throw new UserError(`there is no login "${options.profile}"`, `The logins are in ${profileFile()}`);
        }
        const output = createOutput(options.json === true);
        output.result({ profile: options.profile }, () => {
          output.line(`Removed. On the server the token is valid until "srup ctl tokens delete" revokes it.`);
        });
        return undefined;
      }),
    );
}

async function logIn(options: LoginOptions): Promise<undefined> {
  const url = checkUrl(options.url ?? process.env['SRUP_URL'] ?? (await askUrl()));
  const ca = await wantedCa(url, options);
  const token = await wantedToken(options.token ?? process.env['SRUP_TOKEN']);
  // A set-up token works once, so storing the API token that it gives must not fail.
  await tryToKeep();
  const caPart = ca === undefined ? {} : { ca };
  const { Secret } = await import('@srup/node');
  const secret = token.startsWith(API_TOKEN_START)
    ? new Secret(token)
    : await setUp({ url, ...caPart }, token, options.name);
  const login: Login = { url, token: secret, ...caPart };
  const me = await whoAmI(login);
  const file = await saveLogin(options.profile, login);
  const output = createOutput(options.json === true);
  output.result({ url, profile: options.profile, file, token: me }, () => {
    output.line(
      { text: `Logged in at ${url}`, style: 'green' },
      ` as "${me.name}" (${me.role}); stored in ${file}`,
    );
    output.note('Next: srup ctl devices');
  });
  return undefined;
}

async function whoAmI(login: Login): Promise<TokenView> {
  const api = openApi(login);
  try {
    return await api.get<AnswerTo<'getOwnToken'>>('/me');
  } finally {
    api.close();
  }
}

async function setUp(
  server: { url: string; ca?: string },
  token: string,
  name = defaultName(),
): Promise<Secret> {
  const api = openApi(server);
  try {
    const { secret } = await api.send<AnswerTo<'setUp'>>('POST', '/setup', { token, name });
    const { Secret } = await import('@srup/node');
    return new Secret(secret);
  } finally {
    api.close();
  }
}

function defaultName(): string {
  return `${userInfo().username}@${hostname()}`;
}

async function askUrl(): Promise<string> {
  if (canAsk()) return askText('Address of the server, as "srup up" printed it', LOCAL_URL);
  throw new UserError('no server is named', `Name it: srup ctl login --url ${LOCAL_URL}`);
}

async function wantedToken(given: string | undefined): Promise<string> {
  if (given === undefined && !canAsk()) {
    throw new UserError(
      'no token is given',
      'Give it with --token TOKEN, on stdin with --token -, or in SRUP_TOKEN.',
    );
  }
  const token =
    given === '-' ? await readSecretLine() : (given ?? (await askSecret('Set-up token or API token')).trim());
  if (token !== '') return token;
  throw new UserError(
    'the token is empty',
    '"srup up" prints a set-up token at its first start; an admin can make an API token.',
  );
}

/** The CA to trust; undefined: the CAs of the system. */
async function wantedCa(
  url: string,
  { ca, caFingerprint, profile }: LoginOptions,
): Promise<string | undefined> {
  if (ca !== undefined && caFingerprint !== undefined) {
    throw new UserError('both --ca and --ca-fingerprint are given', 'Give one of them.');
  }
  const file = ca ?? (caFingerprint === undefined ? process.env['SRUP_CA'] : undefined);
  if (file !== undefined) return readCa(file);
  if (caFingerprint === undefined) return keptCa(profile, url);
  if (!FINGERPRINT.test(caFingerprint)) {
    throw new UserError('the fingerprint is not a SHA-256', 'It has 64 hex digits, with or without colons.');
  }
  const { fetchPinnedCa, PinError } = await import('@srup/node');
  try {
    return await fetchPinnedCa(url, caFingerprint);
  } catch (error) {
    throw error instanceof PinError
      ? notTheServer(url, error)
      : failureOf(error as NodeJS.ErrnoException, url);
  }
}

function notTheServer(url: string, { seen }: PinError): Error {
  const shown = seen.map(({ subject, fingerprint }) => `${fingerprint} (${subject})`).join(', ');
  return unreachable(
    `${url} is not the server with this fingerprint; it shows ${shown}`,
    'Compare with what "srup up" prints on the screen of the server itself. If that differs too, somebody may be intercepting the connection.',
  );
}
