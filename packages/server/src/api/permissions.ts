/** Who may do what, as a table. Each operation names one of these permissions, or is open to everybody. */
import { ROLES, type Role } from './vocabulary.ts';

interface Permission {
  /** The lowest role that has it. Each role has all permissions of the roles below it. */
  readonly role: Role;
  readonly description: string;
}

export const PERMISSIONS = {
  'access.self': { role: 'viewer', description: 'See the own token' },
  'artifacts.read': { role: 'viewer', description: 'See stored artifacts' },
  'audit.read': { role: 'viewer', description: 'See, search and export the audit trail' },
  'broker.read': { role: 'viewer', description: 'See whether the broker refuses revoked devices' },
  'devices.read': { role: 'viewer', description: 'See devices, their messages, data and software' },
  'enrolment.read': { role: 'viewer', description: 'See whether new devices can register' },
  'events.read': { role: 'viewer', description: 'Follow what happens, live' },
  'exchanges.read': { role: 'viewer', description: 'See updates, actions, joins and other exchanges' },
  'joins.read': { role: 'viewer', description: 'See the join policy' },
  'metrics.read': { role: 'viewer', description: 'Read metrics' },
  'refusals.read': { role: 'viewer', description: 'See refused messages' },
  'artifacts.upload': { role: 'operator', description: 'Upload artifacts' },
  'audit.sign': { role: 'operator', description: 'Sign the audit trail now' },
  'devices.name': { role: 'operator', description: 'Name devices' },
  'devices.revoke': { role: 'operator', description: 'End the identity of a device' },
  'joins.decide': { role: 'operator', description: 'Decide pending joins' },
  'orders.give': { role: 'operator', description: 'Command devices' },
  'updates.steer': { role: 'operator', description: 'Activate and cancel updates' },
  'access.manage': { role: 'admin', description: 'List, create and revoke API tokens' },
  'artifacts.remove': { role: 'admin', description: 'Remove artifacts' },
  'enrolment.manage': { role: 'admin', description: 'Open and close registration; manage enrolment codes' },
  'joins.configure': { role: 'admin', description: 'Set the join policy' },
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
