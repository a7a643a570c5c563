/** Every way to give an order leaves the caller in the audit trail, as a value. */
import { Readable } from 'node:stream';
import { request } from 'undici';
import { describe, expect } from 'vitest';
import { systemClock } from '@srup/node';
import { isCaller, type Caller } from '@srup/protocol';
import { test as base } from '../../test/fixtures.ts';
import type { TestDevice } from '../../test/fleet/device.ts';
import { stage, type World } from '../../test/fleet/world.ts';
import { test as withServer, type Running } from '../../test/http/running.ts';
import { openTokens } from '../access/tokens.ts';
import { PROGRAM, RESTORE, SET_UP, policyCaller, tokenCaller } from '../api/callers.ts';
import type { AuditEntryView } from '../api/forms/audit.ts';
import { openArtifacts } from '../artifacts/artifacts.ts';
import { noteRestore } from '../backup/note.ts';

const MIA: Caller = { kind: 'person', id: 'p7', name: 'Mia' };
const DIGEST = 'a'.repeat(64);

const test = base
  /** Bodies of the entries of a kind, oldest first. */
  .extend('entries', ({ world }) => async (kind: string) => {
    const rows = world.store.read
      .selectFrom('audit')
      .select('body')
      .where('kind', '=', kind as never);
    return (await rows.orderBy('seq').execute()).map(({ body }) => JSON.parse(body) as { by: unknown });
  })
  /** The last caller of a kind of entry. */
  .extend('callerOf', ({ entries }) => async (kind: string): Promise<unknown> => {
    const by = (await entries(kind)).at(-1)?.by;
    expect(isCaller(by), kind).toBe(true);
    return by;
  });

interface Way {
  readonly name: string;
  readonly kind: string;
  readonly give: (world: World, device: TestDevice, by?: Caller) => Promise<unknown>;
}

const ways: readonly Way[] = [
  {
    name: 'a command',
    kind: 'order',
    give: ({ fleet }, { text }, by) => fleet.command([text], { kind: 'action', actionId: 4 }, by),
  },
  {
    name: 'activate',
    kind: 'order',
    give: async (world, device, by) => {
      const token = await stage(world, device, { digest: DIGEST, activateAtOnce: false });
      return world.fleet.activate(device.text, token, by);
    },
  },
  {
    name: 'cancel',
    kind: 'order',
    give: async (world, device, by) => {
      const token = await stage(world, device, { digest: DIGEST, activateAtOnce: false });
      return world.fleet.cancel(device.text, token, by);
    },
  },
  {
    name: 'a join policy',
    kind: 'policy',
    give: ({ fleet }, _device, by) => fleet.setJoinPolicy('pump', 'accept', by),
  },
  {
    name: 'the end of a join policy',
    kind: 'policy',
    give: async ({ fleet }, _device, by) => {
      await fleet.setJoinPolicy('pump', 'fail');
      await fleet.setJoinPolicy('pump', undefined, by);
    },
  },
  { name: 'a name', kind: 'name', give: ({ fleet }, { text }, by) => fleet.rename(text, 'Pump 7', by) },
  { name: 'a revocation', kind: 'revocation', give: ({ fleet }, { text }, by) => fleet.revoke(text, by) },
];

describe('an order of a program', () => {
  test.for(ways)(
    'names its caller, or the program that runs the server: $name',
    async (way, { world, joined, alsoJoined, callerOf }) => {
      await way.give(world, joined, MIA);
      expect(await callerOf(way.kind)).toEqual(MIA);
      await way.give(world, alsoJoined);
      expect(await callerOf(way.kind)).toEqual(PROGRAM);
    },
  );

  test('names its caller: the decision of a join', async ({ world, device, callerOf }) => {
    const { token } = await device.say(world.link, 'JOIN_REQ', {});
    await world.fleet.decideJoin(device.text, token, 'accept', MIA);
    expect(await callerOf('order')).toEqual(MIA);
    expect(await callerOf('decision')).toEqual(MIA);
  });

  test('names its caller: the revocation of a device that only registered', async ({
    world,
    device,
    callerOf,
  }) => {
    await world.fleet.revoke(device.text, MIA);
    expect(await callerOf('revocation')).toEqual(MIA);
  });

  test('names its caller: tokens and artifacts', async ({ world: { store }, folder, callerOf }) => {
    const tokens = openTokens(store, systemClock);
    const { token } = await tokens.create('night shift', 'operator', { by: MIA });
    expect(await callerOf('token')).toEqual(MIA);
    await tokens.remove(token.id);
    expect(await callerOf('token')).toEqual(PROGRAM);
    const artifacts = await openArtifacts({ folder }, { store, clock: systemClock });
    const { digest } = await artifacts.add({
      content: Readable.from([Buffer.from('x')]),
      name: 'x',
      by: MIA,
    });
    expect(await callerOf('artifact')).toEqual(MIA);
    await artifacts.remove(digest);
    expect(await callerOf('artifact')).toEqual(PROGRAM);
  });
});

test('a policy that decides a join is its caller', async ({ joined: _joined, callerOf }) => {
  expect(await callerOf('decision')).toEqual(policyCaller('demo'));
});

test('the first start after a restore is the caller of its questions and its revocations', async ({
  world,
  joined,
  alsoJoined,
  entries,
}) => {
  await world.store.commit((write) => noteRestore(write, { at: 2, backupOf: 1, revoked: [alsoJoined.text] }));
  await world.restart();
  await joined.next(world.link, 'ID_REQUEST');
  expect(await entries('revocation')).toMatchObject([{ by: RESTORE }]);
  expect(await entries('order')).toMatchObject([{ order: 'identify', by: RESTORE }]);
});

async function call(
  { server, client }: Running,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  secret?: string,
  body?: object | Buffer,
): Promise<Record<string, never>> {
  const isFile = Buffer.isBuffer(body);
  const type = isFile ? 'application/octet-stream' : 'application/json';
  const answer = await request(`${server.url}/api/v1${path}`, {
    method,
    dispatcher: client,
    headers: {
      ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
      ...(body !== undefined && { 'content-type': type }),
    },
    ...(body !== undefined && { body: isFile ? body : JSON.stringify(body) }),
  });
  const text = await answer.body.text();
  expect(answer.statusCode, `${method} ${path}: ${text}`).toBeLessThan(300);
  return (text === '' ? {} : JSON.parse(text)) as Record<string, never>;
}

async function lastCaller(running: Running, secret: string, kind: string): Promise<unknown> {
  const { rows } = (await call(running, 'GET', `/audit?kind=${kind}&limit=1`, secret)) as unknown as {
    rows: AuditEntryView[];
  };
  return rows[0]?.body['by'];
}

describe('an order over HTTP', () => {
  withServer('names the token that it came with', async ({ running }) => {
    const { secret, token } = await running.server.tokens.create('night shift', 'admin');
    const by = tokenCaller(token);
    const give = (method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object | Buffer) =>
      call(running, method, path, secret, body);

    await give('PUT', '/join-policy/pump', { verdict: 'accept' });
    expect(await lastCaller(running, secret, 'policy')).toEqual(by);
    await give('DELETE', '/join-policy/pump');
    expect(await lastCaller(running, secret, 'policy')).toEqual(by);
    const made = (await give('POST', '/tokens', { name: 'guest', role: 'viewer' })) as unknown as {
      token: { id: string };
    };
    expect(await lastCaller(running, secret, 'token')).toEqual(by);
    await give('DELETE', `/tokens/${made.token.id}`);
    expect(await lastCaller(running, secret, 'token')).toEqual(by);
    const stored = await give('PUT', '/artifacts?name=x', Buffer.from('x'));
    expect(await lastCaller(running, secret, 'artifact')).toEqual(by);
    await give('DELETE', `/artifacts/${String(stored['digest'])}`);
    expect(await lastCaller(running, secret, 'artifact')).toEqual(by);
  });

  withServer('with the set-up token names it', async ({ running }) => {
    const { secret } = await running.server.tokens.create('reader', 'admin');
    await call(running, 'POST', '/setup', undefined, { token: running.server.setupToken, name: 'me' });
    expect(await lastCaller(running, secret, 'token')).toEqual(SET_UP);
  });
});
