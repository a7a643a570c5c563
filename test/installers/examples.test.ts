/**
 * The installers in examples/ hold the contract of docs/installers.md. plain.sh is run as it is. RAUC, SWUpdate and
 * mcumgr are played by the scripts in stand-ins/, after their documented command lines: the real ones are not run here.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMissing, locate } from '../../scripts/system-programs.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/installers/', import.meta.url));
const STAND_INS = fileURLToPath(new URL('./stand-ins/', import.meta.url));
const AFTER_RESTART = 76;
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');

let folder: string;
const path = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(path(name), 'utf8').trim();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'srup-examples-'));
  mkdirSync(path('app'));
  for (const [name, text] of [
    ['booted', 'A'],
    ['good', 'A'],
    ['slot-A', 'factory\n'],
    ['slot-B', 'nothing\n'],
    ['one', 'image one\n'],
    ['two', 'image two\n'],
    ['cmdline', 'quiet copy=1\n'],
  ] as const)
    writeFileSync(path(name), text);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function step(script: string, ...words: readonly string[]) {
  const env = {
    PATH: `${STAND_INS}:${process.env['PATH'] ?? ''}`,
    PLAYED: folder,
    STATE: path('state'),
    CMDLINE: path('cmdline'),
    CONNECTION: '--conntype serial --connstring dev=/dev/played',
    APP_FOLDER: path('app'),
    APP_RESTART: `echo again >>'${path('restarts')}'`,
  };
  const { status, stdout, stderr } = spawnSync(join(EXAMPLES, script), words, { env, encoding: 'utf8' });
  return { status, said: stdout.trim(), stderr };
}

/** The device restarts: the bootloader takes what it was told, and without that what was found good. */
function restart(comesUp = true): void {
  const next = existsSync(path('next')) && comesUp ? read('next') : read('good');
  rmSync(path('next'), { force: true });
  writeFileSync(path('booted'), next);
  writeFileSync(path('cmdline'), `quiet copy=${next === 'A' ? 1 : 2}\n`);
}

function done(script: string, ...words: readonly string[]): void {
  const { status, stderr } = step(script, ...words);
  if (status === AFTER_RESTART) {
    expect(step(script, 'restart', words[1] ?? '')).toMatchObject({ status: 0 });
    expect(read('restarted')).toBe('yes');
    restart();
  } else expect({ status, stderr }).toMatchObject({ status: 0 });
}

function putOn(script: string, name: string): void {
  const digest = digestOf(readFileSync(path(name), 'utf8'));
  const before = step(script, 'running').said;
  done(script, 'install', digest, path(name));
  expect(step(script, 'running')).toMatchObject({ status: 0, said: before });
  done(script, 'activate', digest, path(name));
  expect(step(script, 'running')).toMatchObject({ status: 0, said: digest });
}

const ONE = digestOf('image one\n');
const TWO = digestOf('image two\n');

describe.each(['plain.sh', 'rauc.sh', 'swupdate.sh', 'mcumgr.sh'])('examples/installers/%s', (script) => {
  it('installs, activates and confirms, and says what really runs', () => {
    expect(step(script, 'running').said).not.toMatch(/^[0-9a-f]{64}$/);
    putOn(script, 'one');
    done(script, 'confirm', ONE);
    putOn(script, 'two');
    done(script, 'confirm', TWO);
    restart();
    expect(step(script, 'running').said).toBe(TWO);
    putOn(script, 'one');
  });

  it('goes back, and may be called again in every step', () => {
    putOn(script, 'one');
    done(script, 'confirm', ONE);
    for (const name of ['install', 'install']) done(script, name, TWO, path('two'));
    // Not activated: nothing to go back from.
    done(script, 'revert', TWO);
    expect(step(script, 'running').said).toBe(ONE);
    putOn(script, 'two');
    done(script, 'revert', TWO);
    done(script, 'revert', TWO);
    expect(step(script, 'running').said).toBe(ONE);
  });

  it('refuses a step that it does not know', () => {
    expect(step(script, 'dance')).toMatchObject({ status: 64 });
  });
});

it.each(['rauc.sh', 'swupdate.sh'])(
  '%s: software that does not come up is not what it says runs',
  (script) => {
    putOn(script, 'one');
    done(script, 'confirm', ONE);
    done(script, 'install', TWO, path('two'));
    expect(step(script, 'activate', TWO, path('two')).status).toBe(AFTER_RESTART);
    restart(false);
    expect(step(script, 'running').said).toBe(ONE);
  },
);

it('plain.sh installs no copy that differs', () => {
  expect(step('plain.sh', 'install', ONE, path('two'))).toMatchObject({ status: 1 });
  expect(step('plain.sh', 'running').said).toBe('nothing');
});

it.skipIf(isMissing('shellcheck'))('all of them are clean to shellcheck', () => {
  const scripts = globSync('*.sh', { cwd: EXAMPLES }).map((name) => join(EXAMPLES, name));
  expect(scripts.length).toBe(4);
  const { status, stdout } = spawnSync(locate('shellcheck') ?? '', ['--shell=sh', ...scripts], {
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});
