// Names that documents may use in `<!-- generated:NAME -->`, and what writes the text between the marks.
import {
  AUDIT_FAULTS,
  renderFaultTable,
  renderMessageTable,
  renderMessageTable2016,
  renderStatusTable,
} from '@srup/protocol';
import { API_PREFIX, OPERATIONS } from '../packages/server/src/api/operations.ts';
import type { Operation } from '../packages/server/src/api/operations/operation.ts';
import { PERMISSIONS, ROLE_DESCRIPTIONS } from '../packages/server/src/api/permissions.ts';
import { ROLES } from '../packages/server/src/api/vocabulary.ts';
import { renderThreatTable } from '../test/attacks/document.ts';

/** Returns Markdown, the same text for the same sources. */
type Generator = () => string | Promise<string>;

export const generators: Readonly<Record<string, Generator>> = {
  'message-table': renderMessageTable,
  'message-table-2016': renderMessageTable2016,
  'status-table': renderStatusTable,
  'fault-table': renderFaultTable,
  'audit-faults': renderAuditFaults,
  'threat-table': renderThreatTable,
  roles: renderRoles,
  permissions: renderPermissions,
  operations: renderOperations,
};

function renderAuditFaults(): string {
  const rows = Object.entries(AUDIT_FAULTS).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  return ['| Code | Means |', '| --- | --- |', ...rows].join('\n');
}

function renderRoles(): string {
  const rows = ROLES.map((role) => `| \`${role}\` | ${ROLE_DESCRIPTIONS[role]} |`);
  return ['| Role | Is for a caller that |', '| --- | --- |', ...rows].join('\n');
}

function renderPermissions(): string {
  const rows = Object.entries(PERMISSIONS).map(
    ([name, { role, description }]) => `| \`${name}\` | ${description} | ${role} |`,
  );
  return ['| Permission | Allows to | Lowest role |', '| --- | --- | --- |', ...rows].join('\n');
}

function renderOperations(): string {
  const rows = Object.values<Operation>(OPERATIONS).map(({ method, path, isAtRoot, permission, summary }) => {
    const needed =
      permission === 'open' ? 'none | everybody' : `\`${permission}\` | ${PERMISSIONS[permission].role}`;
    return `| \`${method} ${isAtRoot === true ? '' : API_PREFIX}${path}\` | ${summary} | ${needed} |`;
  });
  return [
    '| Operation | What it does | Permission | Lowest role |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
