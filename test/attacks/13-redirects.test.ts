/** Threat 13: redirects to places that must not be used, and mirrors that are not what they seem (P 10.2). */
import type { RequestListener } from 'node:http';
import { expect } from 'vitest';
import { STATUS } from '@srup/protocol';
import { makeCa } from '../../packages/node/test/certificates.ts';
import { runsPrograms, writeProgram, type Program } from '../support/programs.ts';
import type { Arena } from './support/arena.ts';
import { test } from './support/fixtures.ts';
import { expectUnharmed, loadFrom } from './support/download.ts';
import { startMirror, startPlainMirror, type Mirror } from './support/mirror.ts';
import type { MutationName } from './support/mutations.ts';

const FETCH = {
  trust: 'pinned' as const,
  hosts: ['localhost'],
  minBytesPerSecond: 256,
  windowSeconds: 1,
  attempts: 1,
};

let arena: Arena;
let factory: Program;
let program: Program;
/** What every mirror serves is what was signed: only the way there is wrong. */
let serve: RequestListener;

test.beforeAll(async ({ openArena }) => {
  arena = await openArena('embedded', { front: true });
  factory = await writeProgram(arena.ground, 'factory');
  program = await writeProgram(arena.ground, 'v2');
  serve = (_request, response) => response.end(program.text);
});

const start = (name: string, checks: readonly MutationName[] = []) =>
  arena.joined(name, { software: runsPrograms(factory), fetch: FETCH }, checks);

function redirectTo(url: string): Promise<Mirror> {
  return startMirror(arena, (_request, response) => response.writeHead(302, { location: url }).end());
}

interface Trap {
  /** Where the device asks first. */
  readonly door: Mirror;
  /** Where it must not ask. */
  readonly trap: Mirror;
}

const TRAPS = {
  'to plain http': async (): Promise<Trap> => {
    const trap = await startPlainMirror(arena, serve);
    return { trap, door: await redirectTo(`http://localhost:${trap.port}/file`) };
  },
  'to a host that is not allowed': async (): Promise<Trap> => {
    const trap = await startMirror(arena, serve);
    return { trap, door: await redirectTo(`https://127.0.0.1:${trap.port}/file`) };
  },
  // As after a swap in DNS: the right name, another machine.
  'with a certificate of another CA': async (): Promise<Trap> => {
    const { certPem, key } = await (await makeCa()).issue({ commonName: 'localhost', hosts: ['localhost'] });
    const trap = await startMirror(arena, serve, `${certPem}\n${key.reveal()}`);
    return { trap, door: trap };
  },
};
type Way = keyof typeof TRAPS;

test('the trap is never asked, and the device goes on', async () => {
  const victim = await start('pump');
  for (const [way, status] of [
    ['to plain http', STATUS.UPDATE_FAIL_FILE],
    ['to a host that is not allowed', STATUS.UPDATE_FAIL_FILE],
    ['with a certificate of another CA', STATUS.UPDATE_FAIL_SERVER],
  ] as const) {
    const { door, trap } = await TRAPS[way]();
    const exchange = await loadFrom(arena, door, victim, program);
    expect([way, exchange.status, trap.asked]).toEqual([way, status, []]);
  }
  await expectUnharmed(arena, victim, program);
});

test('redirects in a circle end, and so does a mirror that only accepts', async () => {
  const victim = await start('patient');
  const circle = await redirectTo('/again');
  expect(await loadFrom(arena, circle, victim, program)).toMatchObject({ status: STATUS.UPDATE_FAIL_FILE });
  expect(circle.asked.length).toBeLessThan(10);
  const silent = await startMirror(arena, () => undefined);
  expect(await loadFrom(arena, silent, victim, program)).toMatchObject({
    status: STATUS.UPDATE_FAIL_SERVER,
  });
});

test.each([
  ['to plain http', ['redirectScheme', 'addressScheme']],
  ['to a host that is not allowed', ['allowedHosts']],
  ['with a certificate of another CA', ['fileServerCertificate']],
] as const satisfies readonly (readonly [Way, readonly MutationName[]])[])(
  'without the check of the address, the trap is asked: %s',
  async (way, checks) => {
    const victim = await start(`lacks-${checks[0]}`, checks);
    const { door, trap } = await TRAPS[way]();
    expect(await loadFrom(arena, door, victim, program)).toMatchObject({ phase: 'staged' });
    expect(trap.asked).toHaveLength(1);
  },
);
