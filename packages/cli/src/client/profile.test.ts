import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadLogin, profileFile } from './profile.ts';

let folder: string;
let env: Record<string, string>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'srup-profile-'));
  env = { SRUP_CONFIG: join(folder, 'ctl.json') };
  const profiles = { default: { url: 'https://a:1', token: 'srup_kept', ca: 'the CA of a' } };
  await writeFile(env['SRUP_CONFIG']!, JSON.stringify({ profiles }));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function login(more: Record<string, string> = {}, profile = 'default') {
  const { token, ...rest } = await loadLogin(profile, { ...env, ...more });
  return { ...rest, token: token.reveal() };
}

describe('the login that a command uses', () => {
  it('is the kept one', async () => {
    expect(await login()).toEqual({ url: 'https://a:1', token: 'srup_kept', ca: 'the CA of a' });
  });

  it('shows its token to nobody who logs it', async () => {
    expect(
      inspect(await loadLogin('default', env)) + JSON.stringify(await loadLogin('default', env)),
    ).not.toContain('kept');
  });

  it('takes another token for the same server from the environment', async () => {
    const more = { SRUP_URL: 'https://a:1', SRUP_TOKEN: 'srup_other' };
    expect(await login(more)).toEqual({ url: 'https://a:1', token: 'srup_other', ca: 'the CA of a' });
  });

  it('takes neither token nor CA to another server', async () => {
    await expect(login({ SRUP_URL: 'https://b:1' })).rejects.toThrow('you are not logged in at https://b:1');
    expect(await login({ SRUP_URL: 'https://b:1', SRUP_TOKEN: 'x' })).toEqual({
      url: 'https://b:1',
      token: 'x',
    });
  });

  it('is missing in an unknown profile, and in none that a prototype has', async () => {
    await expect(login({}, 'field')).rejects.toThrow('with the profile "field"');
    await expect(login({}, 'constructor')).rejects.toThrow('not logged in');
  });

  it('goes over TLS only', async () => {
    await expect(login({ SRUP_URL: 'http://a:1' })).rejects.toThrow('is not the address of a server');
  });

  it('needs a CA file that is one', async () => {
    await expect(login({ SRUP_CA: join(folder, 'none') })).rejects.toThrow("can't be read");
    await expect(login({ SRUP_CA: env['SRUP_CONFIG']! })).rejects.toThrow('holds no PEM certificate');
  });

  it.each(['', '[]', '{"profiles":{"default":{}}}', 'null'])(
    'is not read from a file with %j',
    async (text) => {
      await writeFile(env['SRUP_CONFIG']!, text);
      await expect(login()).rejects.toThrow('is not a file that "srup ctl login" wrote');
    },
  );

  it('lies where configurations lie', () => {
    expect(profileFile({ XDG_CONFIG_HOME: '/c' })).toBe('/c/srup/ctl.json');
    expect(profileFile({})).toMatch(/\/\.config\/srup\/ctl\.json$/);
  });
});
