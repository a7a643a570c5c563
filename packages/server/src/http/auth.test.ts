import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TokenView } from '../api/forms/tokens.ts';
import type { PermissionName } from '../api/permissions.ts';
import { ROLES, type Role } from '../api/vocabulary.ts';
import { callerOf, guard } from './auth.ts';
import { installErrorForms } from './errors.ts';

const secretOf = (role: Role): string => `srup_${role.padEnd(20, '-')}`;
const tokenWith = (role: Role): TokenView => ({ id: `id-${role}`, name: 'night shift', role, createdAt: 0 });

let app: FastifyInstance;

beforeEach(() => {
  app = Fastify();
  installErrorForms(app);
  guard(app, {
    check: async (secret) => ROLES.filter((role) => secretOf(role) === secret).map(tokenWith)[0],
    create: () => Promise.reject(new Error('not here')),
    list: () => Promise.reject(new Error('not here')),
    remove: () => Promise.reject(new Error('not here')),
  });
});

afterEach(async () => {
  await app.close();
});

function ask(permission: PermissionName, role: Role) {
  app.get('/', { config: { permission } }, (request) => callerOf(request));
  return app.inject({ url: '/', headers: { authorization: `Bearer ${secretOf(role)}` } });
}

describe('a route', () => {
  it('that names no permission stops the start', () => {
    expect(() => app.get('/devices', () => '')).toThrow('the route /devices names no permission');
  });

  it.each(['devices.raed', 'toString', '__proto__', ''])(
    'that names the unknown permission "%s" stops the start',
    (name) => {
      const config = { permission: name as PermissionName };
      expect(() => app.get('/devices', { config }, () => '')).toThrow(
        `the route /devices names the permission "${name}", which there is not`,
      );
    },
  );

  it('that is open needs no token', async () => {
    app.get('/', { config: { permission: 'open' } }, ({ token }) => ({ token }));
    expect((await app.inject('/')).json()).toEqual({ token: null });
  });

  it('that is open gives no order: there is no caller', async () => {
    app.get('/', { config: { permission: 'open' } }, (request) => callerOf(request));
    expect((await app.inject('/')).statusCode).toBe(500);
  });
});

describe('a request', () => {
  it('with a token that has the permission knows its caller', async () => {
    const answer = await ask('orders.give', 'operator');
    expect(answer.json()).toEqual({ kind: 'token', id: 'id-operator', name: 'night shift' });
  });

  it('without the permission is told the permission, the role that it needs, and its own role', async () => {
    const answer = await ask('access.manage', 'approver');
    expect([answer.statusCode, answer.json()]).toEqual([
      403,
      {
        error: 'forbidden',
        message:
          'this needs the role admin, for the permission access.manage; the token "night shift" has the role approver',
      },
    ]);
  });
});
