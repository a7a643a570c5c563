// Names that documents may use in `<!-- generated:NAME -->`, and what writes the text between the marks.
import {
  AUDIT_FAULTS,
  renderFaultTable,
  renderMessageTable,
  renderMessageTable2016,
  renderStatusTable,
} from '@srup/protocol';
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
};

function renderAuditFaults(): string {
  const rows = Object.entries(AUDIT_FAULTS).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  return ['| Code | Means |', '| --- | --- |', ...rows].join('\n');
}
