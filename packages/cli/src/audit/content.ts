import { callerText, isCaller } from '@srup/protocol';
import type { AuditEntryView } from '../client/views.ts';

/** Characters of the longest value in a table; --json has all of it. */
const LONGEST_VALUE = 80;

/**
 * The body of an entry of the audit trail on one line. Whoever gave an order is shown as people read it.
 *
 * @example
 * contentOf({ order: 'action', by: { kind: 'token', id: '3f2a91c07be4', name: 'mia' } });
 * // 'order=action by=mia (3f2a91c0)'
 */
export function contentOf(body: AuditEntryView['body']): string {
  return Object.entries(body)
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join(' ');
}

function valueText(value: unknown): string {
  if (isCaller(value)) return clip(callerText(value));
  return typeof value === 'string' ? clip(value) : JSON.stringify(value);
}

function clip(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > LONGEST_VALUE ? `${line.slice(0, LONGEST_VALUE)}...` : line;
}
