import { isCaller } from './caller.ts';
import type { AuditBodies, AuditKind } from './entry.ts';

type FieldForm = 'text' | 'text?' | 'caller' | 'count' | 'count?' | 'way' | 'keys';

/** What a verification reads of a body. A file can come from anywhere and hold anything. */
const FORMS: Readonly<Partial<Record<AuditKind, Readonly<Record<string, FieldForm>>>>> = {
  begin: { server: 'text', keys: 'keys', ca: 'text', messagesBefore: 'count' },
  device: { type: 'text', suite: 'text', key: 'text' },
  message: { id: 'count', direction: 'way', type: 'text', sequence: 'text', token: 'text' },
  messages: { from: 'count', to: 'count', count: 'count' },
  trim: { through: 'count', data: 'count?' },
  order: { order: 'text', token: 'text', by: 'caller', orderId: 'text?' },
  decision: { token: 'text', verdict: 'text', by: 'caller', orderId: 'text?' },
  alarm: { what: 'text' },
};

/** The body of an entry, if it has the form of its kind; otherwise undefined. */
export function readBody<Kind extends AuditKind>(kind: Kind, body: string): AuditBodies[Kind] | undefined {
  const fields = objectIn(body);
  if (fields === undefined) return undefined;
  // A kind from a file can be the name of a member that every object has.
  const forms: Readonly<Record<string, FieldForm>> =
    (Object.hasOwn(FORMS, kind) ? FORMS[kind] : undefined) ?? {};
  const isRight = Object.entries(forms).every(([name, form]) => has(fields[name], form));
  return isRight ? (fields as AuditBodies[Kind]) : undefined;
}

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function has(value: unknown, form: FieldForm): boolean {
  switch (form) {
    case 'text':
      return typeof value === 'string';
    case 'text?':
      return value === undefined || has(value, 'text');
    case 'caller': // a text in entries of earlier releases
      return has(value, 'text') || isCaller(value);
    case 'count?':
      return value === undefined || has(value, 'count');
    case 'count':
      return Number.isSafeInteger(value) && (value as number) >= 0;
    case 'way':
      return value === 'in' || value === 'out';
    case 'keys':
      return isObject(value) && Object.values(value).every((key) => typeof key === 'string');
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
