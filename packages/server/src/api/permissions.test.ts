import { describe, expect, test } from 'vitest';
import { OPERATIONS } from './operations.ts';
import type { Operation } from './operations/operation.ts';
import { isPermission, PERMISSIONS, permissionsOf, type PermissionName } from './permissions.ts';
import { ROLES, type Role } from './vocabulary.ts';

/** Written by hand: what each operation of release 0.1 asked for. `open` is for everybody. */
const RELEASED: Readonly<Record<string, Role | 'open'>> = {
  'GET /openapi.json': 'open',
  'POST /setup': 'open',
  'GET /me': 'viewer',
  'GET /tokens': 'admin',
  'POST /tokens': 'admin',
  'DELETE /tokens/:id': 'admin',
  'GET /devices': 'viewer',
  'GET /devices/:id': 'viewer',
  'PATCH /devices/:id': 'operator',
  'GET /devices/:id/software': 'viewer',
  'POST /devices/:id/revoke': 'operator',
  'GET /devices/:id/messages': 'viewer',
  'GET /devices/:id/data': 'viewer',
  'POST /commands': 'operator',
  'GET /exchanges': 'viewer',
  'GET /devices/:id/exchanges/:token': 'viewer',
  'POST /devices/:id/exchanges/:token/activate': 'operator',
  'POST /devices/:id/exchanges/:token/cancel': 'operator',
  'POST /devices/:id/exchanges/:token/decide': 'operator',
  'GET /join-policy': 'viewer',
  'PUT /join-policy/:type': 'admin',
  'DELETE /join-policy/:type': 'admin',
  'GET /refusals': 'viewer',
  'GET /refusals/counts': 'viewer',
  'PUT /artifacts': 'operator',
  'GET /artifacts': 'viewer',
  'GET /artifacts/:digest': 'viewer',
  'DELETE /artifacts/:digest': 'admin',
  'GET /audit': 'viewer',
  'GET /audit/status': 'viewer',
  'GET /audit/export': 'viewer',
  'POST /audit/checkpoints': 'operator',
  'GET /registration': 'viewer',
  'PUT /registration': 'admin',
  'GET /enrolment-codes': 'admin',
  'POST /enrolment-codes': 'admin',
  'DELETE /enrolment-codes/:id': 'admin',
  'GET /broker': 'viewer',
  'GET /events': 'viewer',
  'GET /healthz': 'open',
  'GET /readyz': 'open',
  'GET /metrics': 'viewer',
};

/** Who could call it in release 0.1, when each role could do all of the roles before it. */
const RELEASED_ROLES = ['viewer', 'operator', 'admin'] as const;

const operations = Object.entries<Operation>(OPERATIONS);

describe('operations', () => {
  test.each(Object.entries(RELEASED))(
    '%s of release 0.1 is for the roles that it was for',
    (name, before) => {
      const found = operations.find(([, { method, path }]) => `${method} ${path}` === name);
      const permission = found?.[1].permission;
      expect(permission).toBeDefined();
      expect(permission === 'open').toBe(before === 'open');
      if (permission === undefined || permission === 'open' || before === 'open') return;
      for (const role of RELEASED_ROLES) {
        const could = RELEASED_ROLES.indexOf(role) >= (RELEASED_ROLES as readonly Role[]).indexOf(before);
        expect(permissionsOf(role).has(permission), role).toBe(could);
      }
    },
  );

  test('have one name for each method and path', () => {
    const names = operations.map(([, { method, path }]) => `${method} ${path}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(operations)('%s names a permission of the table, or is open', (_, { permission }) => {
    expect(permission === 'open' || isPermission(permission)).toBe(true);
  });
});

describe('permissions', () => {
  test('are all needed by an operation', () => {
    const needed = new Set(operations.map(([, { permission }]) => permission));
    expect(Object.keys(PERMISSIONS).filter((name) => !needed.has(name as PermissionName))).toEqual([]);
  });

  test('of a role contain those of the roles below it', () => {
    for (const [rank, role] of ROLES.entries()) {
      const below = ROLES[rank - 1];
      const own = permissionsOf(role);
      for (const name of below === undefined ? [] : permissionsOf(below))
        expect(own.has(name), name).toBe(true);
    }
    expect(permissionsOf('admin').size).toBe(Object.keys(PERMISSIONS).length);
  });

  test('of an approver are those of an operator, as long as no order needs two persons', () => {
    expect(permissionsOf('approver')).toEqual(permissionsOf('operator'));
  });

  test.each(['root', 'toString', ''])('of the unknown role "%s" are none', (role) => {
    expect(permissionsOf(role as Role).size).toBe(0);
  });

  test.each(['root', 'toString', ''])('do not contain "%s"', (name) => {
    expect(isPermission(name)).toBe(false);
  });
});
