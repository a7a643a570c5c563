import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { checkProof, FolderLockedError, proveText, systemClock, systemRandom } from '@srup/node';
import { identityText, type Clock, type SuiteName } from '@srup/protocol';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openVault, type Vault, type VaultOptions, type VaultPorts } from './vault.ts';
import type { Renewed } from './credentials.ts';
import { VaultError } from './files.ts';

const DAY = 86_400_000;
const SUITES: SuiteName[] = ['rsa-sha256', 'ed25519', 'ml-dsa-65'];

let folder: string;
let warnings: string[];
let opened: Vault[];
let umask: number;

beforeEach(() => {
  umask = process.umask(0o022); // as most systems have it: what is private must be made so
  folder = join(mkdtempSync(join(tmpdir(), 'srup-vault-')), 'data');
  warnings = [];
  opened = [];
});

afterEach(async () => {
  for (const vault of opened) await vault.close();
  rmSync(join(folder, '..'), { recursive: true });
  process.umask(umask);
});

type Changes = Partial<VaultOptions & VaultPorts>;

async function open({
  clock = systemClock,
  random = systemRandom,
  ...options
}: Changes = {}): Promise<Vault> {
  const warn = (message: string) => warnings.push(message);
  const vault = await openVault({ folder, names: [], ...options }, { clock, random, warn });
  opened.push(vault);
  return vault;
}

async function reopen(vault: Vault, changes: Changes = {}): Promise<Vault> {
  await vault.close();
  return open(changes);
}

function filesIn(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(path, name)).isFile(),
  );
}

/** Everything that must never change once devices know it. */
function essence({ server, keyService }: Vault): unknown {
  return [server, keyService]
    .map(({ keys }) => SUITES.map((suite) => [keys[suite].signing.publicPem, keys[suite].sealing?.publicPem]))
    .concat([[[identityText(server.id), keyService.authority.caPem]]]);
}

const at = (ms: number, isTrusted = true): Clock => ({
  now: () => ms,
  monotonic: () => ms,
  isTrusted: () => isTrusted,
});

describe('the first start', () => {
  test('makes an identity, keys of every suite for both roles, a CA and certificates', async () => {
    const vault = await open();
    expect(identityText(vault.server.id)).toMatch(/^[1-9a-f][0-9a-f]{15}$/);
    for (const { keys } of [vault.server, vault.keyService]) {
      for (const suite of SUITES) {
        const { signing, sealing } = keys[suite];
        expect(checkProof(signing.publicPem, 'text', proveText(signing.privatePem, 'text'))).toBe(true);
        expect(sealing !== undefined).toBe(suite !== 'rsa-sha256');
      }
    }
    const ca = new X509Certificate(vault.keyService.authority.caPem);
    expect(new X509Certificate(vault.credentials.tls().chain).verify(ca.publicKey)).toBe(true);
    expect(new X509Certificate(vault.credentials.mqtt().chain).subject).toBe(
      `CN=${identityText(vault.server.id)}`,
    );
    expect(warnings).toEqual([]);
  });

  test('the two trust roles share no key', async () => {
    const { server, keyService } = await open();
    const pems = [server, keyService].flatMap(({ keys }) =>
      SUITES.flatMap((suite) => [keys[suite].signing.publicPem, keys[suite].sealing?.publicPem ?? suite]),
    );
    expect(new Set(pems).size).toBe(pems.length - 1); // the suite name that stands for the absent RSA sealing key
  });

  test('writes files that only the owner can read', async () => {
    await open();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const { mode } = statSync(join(folder, name));
      expect(mode & 0o077, name).toBe(0);
    }
  });

  test('is refused while the clock is unset', async () => {
    await expect(open({ clock: at(1000, false) })).rejects.toThrow(/clock/);
    expect(existsSync(join(folder, 'vault.json'))).toBe(false);
    const vault = await open();
    // a later start with an unset clock changes nothing
    const tls = vault.credentials.tls().chain;
    const again = await reopen(vault, { clock: at(1000, false) });
    expect(again.credentials.tls().chain).toBe(tls);
  });

  test('shows no private key when printed', async () => {
    const vault = await open();
    const text =
      inspect(vault, { depth: 10 }) +
      JSON.stringify(vault, (_, value: unknown) => (typeof value === 'bigint' ? 'id' : value));
    expect(text).not.toMatch(/PRIVATE KEY/);
    expect(text).not.toContain(vault.server.setupToken.shown?.reveal());
  });
});

describe('the next start', () => {
  test('finds everything as it was', async () => {
    const first = await open();
    const before = essence(first);
    const tls = first.credentials.tls();
    const second = await reopen(first);
    expect(essence(second)).toEqual(before);
    expect(second.credentials.tls().chain).toBe(tls.chain);
  });

  test('that a first process uses is refused to a second', async () => {
    await open();
    await expect(open()).rejects.toThrow(FolderLockedError);
  });

  test('warns of what others can read, by name', async () => {
    const vault = await open();
    const exposed = join(folder, 'server', 'ed25519.pem');
    chmodSync(exposed, 0o644);
    chmodSync(join(folder, 'authority'), 0o750);
    await reopen(vault);
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).toContain(exposed);
    expect(warnings.join()).toContain(`chmod go= '${join(folder, 'authority')}'`);
  });

  test.each([
    'server/identity',
    'server/rsa-sha256.pem',
    'key-service/ed25519.pem',
    'authority/ca.pem',
    'authority/ca.key.pem',
  ])('never replaces a lost %s silently', async (name) => {
    const vault = await open();
    await vault.close();
    rmSync(join(folder, name));
    await expect(open()).rejects.toThrow(VaultError);
    expect(existsSync(join(folder, name))).toBe(false);
  });

  test.each([
    'server/identity',
    'server/ml-dsa-65.pem',
    'authority/ca.pem',
    'authority/ca.key.pem',
    'vault.json',
  ])('tells that %s is damaged, and gives the folder free', async (name) => {
    const vault = await open();
    await vault.close();
    const path = join(folder, name);
    const before = readFileSync(path);
    writeFileSync(path, before.subarray(0, before.length / 2));
    await expect(open()).rejects.toThrow(name === 'server/identity' ? /server's identity/ : path);
    writeFileSync(path, before);
    await open();
  });

  test('refuses the folder of a newer version', async () => {
    const vault = await open();
    await vault.close();
    writeFileSync(join(folder, 'vault.json'), '{"format":2}');
    await expect(open()).rejects.toThrow(/newer version/);
  });
});

describe('a crash in the first start', () => {
  // In the order in which a start may have got this far; whatever is absent must be completed.
  const steps = [
    ['identity', ['server/identity']],
    ['some keys', ['server/identity', 'server/rsa-sha256.pem', 'key-service/ed25519.pem']],
    ['the key of the CA', ['server/identity', 'authority/ca.key.pem']],
    ['the CA', ['server/identity', 'authority/ca.key.pem', 'authority/ca.pem']],
    ['all but the mark', undefined],
  ] as const;

  test.each(steps)('after %s is completed by the next one', async (_, kept) => {
    const vault = await open();
    await vault.close();
    const contents = new Map(kept?.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
    for (const name of filesIn(folder)) {
      if (name === 'vault.json' || (kept !== undefined && !contents.has(name as never)))
        rmSync(join(folder, name));
    }
    writeFileSync(join(folder, 'server', '.identity.0123456789ab.tmp'), 'half of a f');
    const next = await open();
    for (const [name, text] of contents) expect(readFileSync(join(folder, name), 'utf8')).toBe(text);
    const whole = essence(next);
    expect(filesIn(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(essence(await reopen(next))).toEqual(whole);
  });

  test('by kill -9, again and again, ends in one whole vault', async () => {
    const script = `
      import { openVault } from ${JSON.stringify(new URL('./vault.ts', import.meta.url).href)};
      import { systemClock, systemRandom } from '@srup/node';
      process.stdout.write('ready');
      await openVault({ folder: ${JSON.stringify(folder)}, names: [] }, { clock: systemClock, random: systemRandom, warn: () => undefined });
      process.stdout.write('done');
      setInterval(() => undefined, 1000);`;
    for (const wanted of [1, 3, 6, 9]) {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
        cwd: import.meta.dirname,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(child, 'exit');
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      while (!said.includes('done') && countOf('.pem', 'identity') < wanted) await new Promise(setImmediate);
      child.kill('SIGKILL');
      await ended;
    }
    const vault = await open();
    const whole = essence(vault);
    expect(essence(await reopen(vault))).toEqual(whole);
  });

  function countOf(...ends: string[]): number {
    if (!existsSync(folder)) return 0;
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      (name) => !name.endsWith('.tmp') && ends.some((end) => name.endsWith(end)),
    ).length;
  }
});

describe('the server’s certificate', () => {
  let stop: () => void = () => undefined;
  test('has the given names, and is replaced when they change', async () => {
    const vault = await open({ names: ['fleet.example', '192.0.2.7', '[2001:DB8::7]'] });
    const first = new X509Certificate(vault.credentials.tls().chain);
    for (const name of ['fleet.example', 'localhost']) expect(first.checkHost(name)).toBe(name);
    for (const address of ['192.0.2.7', '127.0.0.1', '::1', '2001:db8::7'])
      expect(first.checkIP(address)).toBe(address);

    const same = await reopen(vault, {
      names: ['FLEET.example.', '2001:db8:0::7', '192.0.2.7', 'localhost'],
    });
    expect(new X509Certificate(same.credentials.tls().chain).serialNumber).toBe(first.serialNumber);

    const other = new X509Certificate(
      (await reopen(same, { names: ['new.example'] })).credentials.tls().chain,
    );
    expect(other.checkHost('new.example')).toBe('new.example');
    expect(other.checkHost('fleet.example')).toBeUndefined();
  });

  test.each(['*', 'a b', 'fleet.example/x', 'http://fleet.example', 'fe80::1%eth0', '-a', ''])(
    'refuses the name "%s"',
    async (name) => {
      await expect(open({ names: [name] })).rejects.toThrow(/neither a host name nor an IP address/);
    },
  );

  test('is replaced with less than 30 days left, at the start and by the daily check', async () => {
    const start = Date.UTC(2026, 10, 21);
    let now = start;
    const clock: Clock = { now: () => now, monotonic: () => now, isTrusted: () => true };
    const vault = await open({ clock });
    const serials = ({ credentials }: Vault) =>
      [credentials.tls(), credentials.mqtt()].map(({ chain }) => new X509Certificate(chain).serialNumber);
    const first = serials(vault);

    now = start + 334 * DAY;
    expect(await vault.credentials.renew()).toEqual({ tls: false, mqtt: false });
    expect(serials(vault)).toEqual(first);

    now = start + 336 * DAY;
    expect(await vault.credentials.renew()).toEqual({ tls: true, mqtt: true });
    const second = serials(vault);
    expect(second).not.toEqual(first);

    now += 336 * DAY;
    expect(serials(await reopen(vault, { clock }))).not.toEqual(second);
  });

  test('is checked once a day while the server runs', async () => {
    let now = Date.UTC(2026, 10, 21);
    const clock: Clock = { now: () => now, monotonic: () => now, isTrusted: () => true };
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const vault = await open({ clock });
      const renewals: Renewed[] = [];
      const first = new Promise<void>((resolve) => {
        stop = vault.keepFresh((renewed) => {
          renewals.push(renewed);
          resolve();
        });
      });
      now += 336 * DAY;
      vi.advanceTimersByTime(DAY);
      await first;
      expect(renewals).toEqual([{ tls: true, mqtt: true }]);
      expect(new X509Certificate(vault.credentials.tls().chain).validToDate.getTime()).toBeGreaterThan(
        now + 300 * DAY,
      );
      stop();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test('is replaced when it is damaged or lost', async () => {
    const vault = await open();
    const whole = essence(vault);
    await vault.close();
    writeFileSync(join(folder, 'tls', 'server.pem'), 'not a key');
    rmSync(join(folder, 'server', 'mqtt.pem'));
    expect(essence(await open())).toEqual(whole);
  });

  test('is replaced when it is from before the clock was set right', async () => {
    const vault = await open({ clock: at(Date.UTC(2030, 0, 1)) });
    const later = new X509Certificate(vault.credentials.tls().chain).serialNumber;
    const next = await reopen(vault, { clock: at(Date.UTC(2029, 0, 1)) });
    const certificate = new X509Certificate(next.credentials.tls().chain);
    expect(certificate.serialNumber).not.toBe(later);
    expect(certificate.validFromDate.getTime()).toBeLessThan(Date.UTC(2029, 0, 1));
  });
});

test('the operator is warned a year before the CA ends', async () => {
  const vault = await open({ clock: at(Date.UTC(2026, 0, 2)) });
  const later = await reopen(vault, { clock: at(Date.UTC(2034, 11, 1)) });
  expect(warnings).toEqual([]);
  await reopen(later, { clock: at(Date.UTC(2035, 6, 1)) });
  expect(warnings.join()).toMatch(/ends on 2036-01-0/);
});

describe('the set-up token', () => {
  test('works once, however it is written', async () => {
    const { setupToken } = (await open()).server;
    const text = setupToken.shown!.reveal();
    expect(text).toMatch(/^[0-9a-f]{40}$/);
    expect(await setupToken.consume('')).toBe(false);
    expect(await setupToken.consume(text.replace(/.$/, (last) => (last === '0' ? '1' : '0')))).toBe(false);
    expect(await setupToken.consume(` ${text.toUpperCase()}\n`)).toBe(true);
    expect(await setupToken.consume(text)).toBe(false);
  });

  test('works for one of two that come at once', async () => {
    const { setupToken } = (await open()).server;
    const text = setupToken.shown!.reveal();
    const results = await Promise.all([
      setupToken.consume(text),
      setupToken.consume(text),
      setupToken.consume(text),
    ]);
    expect(results.filter(Boolean)).toHaveLength(1);
  });

  test('is nowhere in the folder', async () => {
    const vault = await open();
    const text = vault.server.setupToken.shown!.reveal();
    for (const name of filesIn(folder))
      expect(readFileSync(join(folder, name)).includes(text), name).toBe(false);
  });

  test('is a new one at each start until one was used; then there is none', async () => {
    const first = await open();
    const old = first.server.setupToken.shown!.reveal();
    const second = await reopen(first);
    expect(await second.server.setupToken.consume(old)).toBe(false);
    const text = second.server.setupToken.shown!.reveal();
    expect(await second.server.setupToken.consume(text)).toBe(true);
    const third = await reopen(second);
    expect(third.server.setupToken.shown).toBeUndefined();
    expect(await third.server.setupToken.consume(text)).toBe(false);
  });

  test('stays usable when its use could not be recorded', async () => {
    const { setupToken } = (await open()).server;
    const file = join(folder, 'server', 'setup-token');
    const hash = readFileSync(file);
    rmSync(file); // so that it can't be renamed
    await expect(setupToken.consume(setupToken.shown!.reveal())).rejects.toThrow();
    writeFileSync(file, hash, { mode: 0o600 });
    expect(await setupToken.consume(setupToken.shown!.reveal())).toBe(true);
  });
});
