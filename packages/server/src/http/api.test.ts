import { createHash } from 'node:crypto';
import { request } from 'undici';
import { describe, expect } from 'vitest';
import { generateKeys, pemToBody } from '@srup/node';
import { test as base, type Running } from '../../test/http/running.ts';
import { ROLES, type Role } from '../api/vocabulary.ts';

interface Operation {
  readonly 'x-role'?: Role;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}

interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Record<string, unknown>;
}

/** Open to a caller without a token, by intention. */
const OPEN = ['GET /openapi.json', 'POST /setup', 'GET /healthz', 'GET /readyz'];
/** Not under /api/v1. */
const AT_ROOT = ['/healthz', '/readyz', '/metrics'];

type Call = (method: string, path: string, secret?: string, body?: unknown) => Promise<Answer>;

const it = base
  /** The secret of a token of each role. */
  .extend('secrets', { scope: 'file' }, async ({ running: { server } }) => {
    const created = await Promise.all(
      ROLES.map(async (role) => [role, (await server.tokens.create(role, role)).secret]),
    );
    return Object.fromEntries(created) as Record<Role, string>;
  })
  .extend('call', { scope: 'file' }, ({ running }): Call => {
    return (method, path, secret, body) => callServer(running, method, path, secret, body);
  });

async function callServer(
  { server, client }: Running,
  method: string,
  path: string,
  secret?: string,
  body?: unknown,
): Promise<Answer> {
  const {
    statusCode,
    headers,
    body: answer,
  } = await request(`${server.url}${AT_ROOT.includes(path) ? '' : '/api/v1'}${path}`, {
    method: method as 'GET',
    dispatcher: client,
    headers: {
      ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (headers['content-type'] === 'text/event-stream') {
    answer.on('error', () => undefined).destroy();
    return { status: statusCode, headers, body: {} };
  }
  const text = await answer.text();
  if (headers['content-type'] === 'application/x-ndjson') return { status: statusCode, headers, body: {} };
  return {
    status: statusCode,
    headers,
    body:
      text === '' || headers['content-type']?.includes('text/plain') === true
        ? { text }
        : (JSON.parse(text) as Record<string, unknown>),
  };
}

async function operations(call: Call): Promise<{ method: string; path: string; role: Role | undefined }[]> {
  const { paths } = (await call('GET', '/openapi.json')).body as unknown as OpenApi;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      role: operation['x-role'],
    })),
  );
}

/** Parameters that fit the form, of things that do not exist. */
function concrete(path: string): string {
  return path
    .replace('/devices/{id}', '/devices/1a2b3c')
    .replace('{digest}', '0'.repeat(64))
    .replace(/\{\w+\}/g, 'nothing');
}

describe('the HTTP API', () => {
  it('registers nobody without an enrolment code, by default (P 8.4)', async ({
    running: { server, client },
  }) => {
    const { signing } = await generateKeys('rsa-sha256');
    const { statusCode, body } = await request(`${server.url}/KeyEx/register/register`, {
      method: 'POST',
      dispatcher: client,
      body: JSON.stringify({ identity: 'abc1', key: pemToBody(signing.publicPem), type: 'demo' }),
    });
    expect([statusCode, await body.json()]).toMatchObject([403, { error: 'wrong-code' }]);
  });

  it('describes itself, made from the code', async ({ call }) => {
    const { body } = await call('GET', '/openapi.json');
    expect(body).toMatchObject({ openapi: '3.1.0', info: { title: expect.any(String) as string } });
    const names = (await operations(call)).map(({ method, path }) => `${method} ${path}`);
    expect(names).toEqual(
      expect.arrayContaining(['GET /devices', 'POST /commands', 'PUT /artifacts', 'GET /events']),
    );
    expect(names.length).toBeGreaterThan(25);
    expect(JSON.stringify(body)).toContain('"pattern":"^[0-9a-f]{64}$"');
  });

  it('asks for a token on every route but a few', async ({ call, secrets }) => {
    for (const { method, path, role } of await operations(call)) {
      if (OPEN.includes(`${method} ${path}`)) {
        expect(role, path).toBeUndefined();
        continue;
      }
      expect(role, `${method} ${path}`).toBeDefined();
      for (const secret of [undefined, 'srup_wrong-wrong-wrong-wrong', `${secrets.admin}x`]) {
        const answer = await call(method, concrete(path), secret);
        expect(answer.status, `${method} ${path}`).toBe(401);
        expect(answer.body).toMatchObject({ error: 'unauthenticated' });
      }
    }
  });

  it('lets each role do what its routes say, and no more', async ({ call, secrets }) => {
    for (const { method, path, role } of await operations(call)) {
      if (role === undefined) continue;
      for (const tried of ROLES) {
        const { status, body } = await call(method, concrete(path), secrets[tried]);
        const name = `${tried}: ${method} ${path} ${JSON.stringify(body)}`;
        if (ROLES.indexOf(tried) < ROLES.indexOf(role)) expect(status, name).toBe(403);
        else expect([401, 403, 500], name).not.toContain(status);
      }
    }
  });

  it.for<[string, string, unknown]>([
    ['GET', '/devices/ABC', undefined],
    ['GET', '/devices/%2B', undefined],
    ['GET', '/devices?limit=0', undefined],
    ['GET', '/devices?limit=many', undefined],
    ['POST', '/commands', {}],
    ['POST', '/commands', { all: true, command: { kind: 'action', actionId: 256 } }],
    ['POST', '/commands', { all: true, type: 'x', command: { kind: 'identify' } }],
    ['POST', '/commands', { devices: ['../1'], command: { kind: 'identify' } }],
    ['POST', '/commands', { all: true, command: { kind: 'update', digest: 'F'.repeat(64) } }],
    ['PUT', '/join-policy/pump', { verdict: 'maybe' }],
    ['POST', '/tokens', { name: 'x', role: 'root' }],
    ['POST', '/enrolment-codes', { uses: 0 }],
  ])('says what is wrong with %s %s', async ([method, path, body], { call, secrets }) => {
    const answer = await call(method, path, secrets.admin, body);
    expect(answer.status).toBe(400);
    expect(answer.body['message']).toEqual(expect.stringMatching(/\w+/));
  });

  it('says what is not there', async ({ call, secrets }) => {
    const digest = '0'.repeat(64);
    for (const [method, path, body] of [
      ['GET', '/devices/1a2b3c'],
      ['PATCH', '/devices/1a2b3c', { name: 'x' }],
      ['GET', '/devices/1a2b3c/exchanges/nothing'],
      ['POST', '/devices/1a2b3c/exchanges/nothing/activate'],
      ['POST', '/commands', { all: true, command: { kind: 'identify' } }],
      ['POST', '/commands', { devices: ['1a'], command: { kind: 'update', digest } }],
      ['DELETE', `/artifacts/${digest}`],
      ['DELETE', '/tokens/nothing'],
      ['GET', '/nothing'],
    ] as const) {
      expect((await call(method, path, secrets.admin, body)).status, path).toBe(404);
    }
    const unknown = await call('POST', '/commands', secrets.admin, {
      devices: ['1a'],
      command: { kind: 'identify' },
    });
    expect(unknown).toMatchObject({ status: 202, body: [{ device: '1a', ok: false }] });
  });

  it('creates a token for each role, which may do what the role may', async ({ call, secrets }) => {
    for (const role of ROLES) {
      const made = await call('POST', '/tokens', secrets.admin, { name: role, role });
      expect(made).toMatchObject({ status: 201, body: { token: { role } } });
      const me = await call('GET', '/me', made.body['secret'] as string);
      expect(me).toMatchObject({ status: 200, body: { role } });
      const order = { devices: ['1a'], command: { kind: 'identify' } };
      const ordered = await call('POST', '/commands', made.body['secret'] as string, order);
      expect(ordered.status, role).toBe(role === 'viewer' ? 403 : 202);
    }
  });

  it('takes the set-up token once', async ({ call, running: { server } }) => {
    expect((await call('POST', '/setup', undefined, { token: 'guess' })).status).toBe(401);
    const first = await call('POST', '/setup', undefined, { token: server.setupToken, name: 'me' });
    expect(first).toMatchObject({ status: 201, body: { token: { name: 'me', role: 'admin' } } });
    expect((await call('POST', '/setup', undefined, { token: server.setupToken })).status).toBe(401);
    expect((await call('GET', '/me', first.body['secret'] as string)).status).toBe(200);
  });

  it('writes nothing down for a caller that only guesses a set-up token', async ({ call, secrets }) => {
    const tokens = () => call('GET', '/audit?kind=token&limit=100', secrets.viewer);
    const before = await tokens();
    expect((await call('POST', '/setup', undefined, { token: 'guess', name: 'x'.repeat(100) })).status).toBe(
      401,
    );
    expect((await tokens()).body).toEqual(before.body);
    expect(before.status).toBe(200);
    // A kind that there is none of is a mistake, and not an empty trail.
    expect((await call('GET', '/audit?kind=nonsense', secrets.viewer)).status).toBe(400);
  });

  it('stops guessing of set-up tokens', async ({ call }) => {
    const statuses: number[] = [];
    for (let tries = 0; tries < 12; tries++) {
      statuses.push((await call('POST', '/setup', undefined, { token: `guess ${tries}` })).status);
    }
    expect(statuses).toContain(429);
  });

  it('keeps policies, and falls back to * when one is removed', async ({ call, secrets }) => {
    expect((await call('GET', '/join-policy', secrets.viewer)).body).toEqual({ '*': 'ask' });
    await call('PUT', '/join-policy/pump', secrets.admin, { verdict: 'accept' });
    expect((await call('GET', '/join-policy', secrets.viewer)).body).toEqual({ '*': 'ask', pump: 'accept' });
    await call('DELETE', '/join-policy/pump', secrets.admin);
    expect((await call('GET', '/join-policy', secrets.viewer)).body).toEqual({ '*': 'ask' });
  });

  it.for(['text/plain', 'application/json', 'application/octet-stream', 'multipart/form-data; boundary=x'])(
    'takes an upload as the bytes that it is, whatever it is called: %s',
    async (type, { running: { server, client }, secrets }) => {
      const content = Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x80, ...Buffer.from(type)]);
      const { statusCode, body } = await request(`${server.url}/api/v1/artifacts?name=x`, {
        method: 'PUT',
        dispatcher: client,
        headers: { authorization: `Bearer ${secrets.operator}`, 'content-type': type },
        body: content,
      });
      expect(statusCode).toBe(201);
      expect(await body.json()).toMatchObject({
        digest: createHash('sha256').update(content).digest('hex'),
        bytes: content.length,
      });
    },
  );

  it('refuses a cursor that it did not give', async ({ call, secrets }) => {
    expect((await call('GET', '/artifacts?cursor=abc', secrets.viewer)).status).toBe(400);
  });

  it('sends headers that keep browsers from doing harm', async ({ call, secrets }) => {
    const { headers } = await call('GET', '/me', secrets.viewer);
    expect(headers).toMatchObject({
      'content-security-policy': expect.stringContaining("default-src 'none'") as string,
      'x-content-type-options': 'nosniff',
      'strict-transport-security': expect.any(String) as string,
    });
  });
});
