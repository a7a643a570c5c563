/** Who may do what, as a table. Each operation names one of these permissions, or is open to everybody. */
import { ROLES, type Role } from './vocabulary.ts';

interface Permission {
  /** The lowest role that has it. Each role has all permissions of the roles below it. */
  readonly role: Role;
  readonly description: string;
}

export const PERMISSIONS = {
  'access.self': { role: 'viewer', description: 'see the own token' },
  'artifacts.read': { role: 'viewer', description: 'see stored artifacts' },
  'audit.read': { role: 'viewer', description: 'see, search and export the audit trail' },
  'broker.read': { role: 'viewer', description: 'see whether the broker refuses revoked devices' },
  'devices.read': { role: 'viewer', description: 'see devices, their messages, data and software' },
  'enrolment.read': { role: 'viewer', description: 'see whether new devices can register' },
  'events.read': { role: 'viewer', description: 'follow what happens, live' },
  'exchanges.read': { role: 'viewer', description: 'see updates, actions, joins and other exchanges' },
  'joins.read': { role: 'viewer', description: 'see the join policy' },
  'metrics.read': { role: 'viewer', description: 'read metrics' },
  'refusals.read': { role: 'viewer', description: 'see refused messages' },
  'artifacts.upload': { role: 'operator', description: 'upload artifacts' },
  'audit.sign': { role: 'operator', description: 'sign the audit trail now' },
  'devices.name': { role: 'operator', description: 'name devices' },
  'devices.revoke': { role: 'operator', description: 'end the identity of a device' },
  'joins.decide': { role: 'operator', description: 'decide pending joins' },
  'orders.give': { role: 'operator', description: 'command devices' },
  'updates.steer': { role: 'operator', description: 'activate and cancel updates' },
  'access.manage': { role: 'admin', description: 'list, create and revoke API tokens' },
  'artifacts.remove': { role: 'admin', description: 'remove artifacts' },
  'enrolment.manage': { role: 'admin', description: 'open and close registration; manage enrolment codes' },
  'joins.configure': { role: 'admin', description: 'set the join policy' },
} as const satisfies Readonly<Record<string, Permission>>;

export type PermissionName = keyof typeof PERMISSIONS;

/** What each role is for. */
export const ROLE_DESCRIPTIONS: Readonly<Record<Role, string>> = {
  viewer: 'sees everything, and changes nothing',
  operator: 'runs the fleet from day to day',
  approver:
    'does what an operator does; will also approve the orders of others, when orders that need two persons exist',
  admin: 'decides who and what may come in',
};

const NAMES = Object.keys(PERMISSIONS) as PermissionName[];

const BY_ROLE = new Map<string, ReadonlySet<PermissionName>>(
  ROLES.map((role, rank) => [
    role,
    new Set(NAMES.filter((name) => ROLES.indexOf(PERMISSIONS[name].role) <= rank)),
  ]),
);

const NONE: ReadonlySet<PermissionName> = new Set();

/**
 * All permissions of a role. A role that this release does not know has none.
 *
 * @example
 * permissionsOf('viewer').has('orders.give'); // false
 */
export function permissionsOf(role: Role): ReadonlySet<PermissionName> {
  return BY_ROLE.get(role) ?? NONE;
}

/** Tells whether a permission of this name is in the table. */
export function isPermission(name: string): name is PermissionName {
  return Object.hasOwn(PERMISSIONS, name);
}
