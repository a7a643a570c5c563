/** Finds the server and the right to register: on the command line, or by the login of `srup ctl`. */
import { readFile } from 'node:fs/promises';
import { fetchPinnedCa } from '@srup/node';
import { openApi, segment } from '../client/api.ts';
import { checkUrl, loadLogin } from '../client/profile.ts';
import { UserError } from '../user-error.ts';

export interface AccessOptions {
  readonly url?: string;
  readonly caFingerprint?: string;
  readonly caFile?: string;
  readonly enrolmentCode?: string;
  readonly profile: string;
  readonly type: string;
  readonly acceptJoins?: true;
}

/** Where devices go, and what lets them register. */
export interface Access {
  readonly url: string;
  /** PEM of the CA; undefined: the CAs of the system. */
  readonly ca: string | undefined;
  /** Makes the enrolment code for this many devices; undefined if they need none. */
  codeFor(devices: number): Promise<string | undefined>;
  /** Withdraws the code that was made. */
  close(): Promise<void>;
}

/** Holds a code that must not show in the list of processes. */
const CODE_VARIABLE = 'SRUP_ENROLMENT_CODE';
/** How long a code is valid that this process makes, in case it can't withdraw the code. Milliseconds. */
const CODE_MS = 12 * 3_600_000;

export async function openAccess(options: AccessOptions): Promise<Access> {
  const code = options.enrolmentCode ?? process.env[CODE_VARIABLE];
  if (options.url === undefined) return accessByLogin(options, code);
  if (options.acceptJoins === true) {
    throw new UserError(
      '--accept-joins needs a login, but --url is used without one',
      'Leave --url out to use your login, or set the policy yourself: srup ctl policy set TYPE accept',
    );
  }
  const url = checkUrl(options.url);
  return { url, ca: await trustedCa(url, options), codeFor: async () => code, close: async () => undefined };
}

async function trustedCa(url: string, { caFile, caFingerprint }: AccessOptions): Promise<string | undefined> {
  if (caFile !== undefined) {
    return readFile(caFile, 'utf8').catch((error: unknown) => {
      throw new UserError(
        `the CA certificate can't be read: ${(error as Error).message}`,
        'Name a PEM file that you may read (--ca-file).',
      );
    });
  }
  if (caFingerprint === undefined) return undefined;
  return fetchPinnedCa(url, caFingerprint).catch((error: unknown) => {
    throw new UserError(
      `${url} can't be used: ${(error as Error).message}`,
      'Is the server running, and is the fingerprint the one that "srup up" prints?',
    );
  });
}

async function accessByLogin(
  { profile, type, acceptJoins }: AccessOptions,
  given: string | undefined,
): Promise<Access> {
  const login = await loadLogin(profile);
  const api = openApi(login);
  let made: { readonly secret: string; readonly code: { readonly id: string } } | undefined;
  if (acceptJoins === true) await api.send('PUT', `/join-policy/${segment(type)}`, { verdict: 'accept' });
  return {
    url: login.url,
    ca: login.ca,
    codeFor: async (devices) => {
      if (given !== undefined || devices === 0) return given;
      made = await api.send<typeof made & object>('POST', '/enrolment-codes', {
        type,
        uses: devices,
        expiresAt: Date.now() + CODE_MS,
      });
      return made.secret;
    },
    close: async () => {
      if (made !== undefined) await api.send('DELETE', `/enrolment-codes/${segment(made.code.id)}`);
      api.close();
    },
  };
}
