import { mkdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Secret } from '@srup/node';
import { UserError } from '../user-error.ts';

/** A server, and the token that logs in to it. */
export interface Login {
  /** `https://host:port` */
  readonly url: string;
  readonly token: Secret;
  /** PEM of the only CA that is trusted; undefined: the CAs of the system. */
  readonly ca?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

interface Kept {
  readonly url: string;
  readonly token: string;
  readonly ca?: string;
}

export const DEFAULT_PROFILE = 'default';

/** The file with the logins: `SRUP_CONFIG`, or `srup/ctl.json` in the user's configuration folder. */
export function profileFile(env: Environment = process.env): string {
  const config = env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
  return env['SRUP_CONFIG'] ?? join(config, 'srup', 'ctl.json');
}

/** Loads the login of a profile; `SRUP_URL`, `SRUP_TOKEN` and `SRUP_CA` take precedence. */
export async function loadLogin(profile: string, env: Environment = process.env): Promise<Login> {
  const kept = (await readProfiles(profileFile(env)))[profile];
  const { SRUP_URL, SRUP_TOKEN, SRUP_CA } = env;
  const url = SRUP_URL === undefined ? kept?.url : checkUrl(SRUP_URL);
  // The token of one server must not be shown to another.
  const own = url === kept?.url ? kept : undefined;
  const token = SRUP_TOKEN ?? own?.token;
  if (url === undefined || token === undefined) throw notLoggedIn(profile, url);
  const ca = SRUP_CA === undefined ? own?.ca : await readCa(SRUP_CA);
  const { Secret } = await import('@srup/node');
  return { url, token: new Secret(token), ...(ca === undefined ? {} : { ca }) };
}

/** The CA that a profile trusts for this server; undefined if the profile is for another one. */
export async function keptCa(profile: string, url: string): Promise<string | undefined> {
  const kept = (await readProfiles(profileFile()))[profile];
  return kept?.url === url ? kept.ca : undefined;
}

/** Rejects if a login could not be stored. */
export async function tryToKeep(): Promise<void> {
  const file = profileFile();
  await writeProfiles(file, await readProfiles(file));
}

export async function saveLogin(profile: string, login: Login): Promise<string> {
  const file = profileFile();
  const { url, token, ca } = login;
  const kept: Kept = { url, token: token.reveal(), ...(ca === undefined ? {} : { ca }) };
  await writeProfiles(file, { ...(await readProfiles(file)), [profile]: kept });
  return file;
}

/** Removes a login; false if there is none. */
export async function forgetLogin(profile: string): Promise<boolean> {
  const file = profileFile();
  const { [profile]: gone, ...others } = await readProfiles(file);
  if (gone === undefined) return false;
  await writeProfiles(file, others);
  return true;
}

/** The origin of an https URL. Tokens are sent over TLS only. */
export function checkUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === 'https:' && url.pathname === '/' && url.search === '') return url.origin;
  throw new UserError(
    `"${text}" is not the address of a server`,
    'Write it as https://HOST:PORT, for example https://localhost:8443',
  );
}

export async function readCa(file: string): Promise<string> {
  const pem = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UserError(
      `the CA certificate can't be read: ${(error as Error).message}`,
      'Name a PEM file that you may read.',
    );
  });
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  throw new UserError(`${file} holds no PEM certificate`, 'It begins with "-----BEGIN CERTIFICATE-----".');
}

function notLoggedIn(profile: string, url: string | undefined): UserError {
  const forWhat = url === undefined ? '' : ` at ${url}`;
  const flag = profile === DEFAULT_PROFILE ? '' : ` --profile ${profile}`;
  return new UserError(
    `you are not logged in${forWhat}${profile === DEFAULT_PROFILE ? '' : ` with the profile "${profile}"`}`,
    `Log in first: srup ctl login${flag} --url ${url ?? 'https://HOST:8443'} --token TOKEN   (or set SRUP_URL, SRUP_TOKEN and SRUP_CA)`,
  );
}

async function readProfiles(file: string): Promise<Readonly<Record<string, Kept>>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return {};
    throw new UserError(
      `the file with your logins can't be read: ${message}`,
      'Set SRUP_CONFIG=FILE to use another one.',
    );
  }
  const profiles = profilesIn(text);
  if (profiles !== undefined) return profiles;
  throw new UserError(`${file} is not a file that "srup ctl login" wrote`, 'Move it away and log in again.');
}

function profilesIn(text: string): Readonly<Record<string, Kept>> | undefined {
  try {
    const { profiles } = JSON.parse(text) as { profiles?: Record<string, Partial<Kept>> };
    const all = Object.values(profiles ?? { none: {} });
    const isComplete = all.every((kept) => typeof kept.url === 'string' && typeof kept.token === 'string');
    return isComplete ? (profiles as Record<string, Kept>) : undefined;
  } catch {
    return undefined;
  }
}

async function writeProfiles(file: string, profiles: Readonly<Record<string, Kept>>): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const { writeFileAtomic } = await import('@srup/node');
    await writeFileAtomic(file, `${JSON.stringify({ profiles }, undefined, 2)}\n`);
  } catch (error) {
    throw new UserError(
      `the login can't be stored: ${(error as Error).message}`,
      'Set SRUP_CONFIG=FILE to store it elsewhere.',
    );
  }
}
