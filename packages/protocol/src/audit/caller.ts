/** Who gives an order. A value, so that it can be compared, permitted and searched, and not only shown. */

export const CALLER_KINDS = ['person', 'token', 'program', 'policy', 'rollout', 'time'] as const;
export type CallerKind = (typeof CALLER_KINDS)[number];

export interface Caller {
  readonly kind: CallerKind;
  /** It never changes, and no other caller of this kind ever gets it. */
  readonly id: string;
  /** For people. It can change. */
  readonly name: string;
}

/** Characters of an id that people see. The audit trail has the whole id. */
const ID_SHOWN = 8;

/**
 * Puts a caller into words. A token has the form that entries of earlier releases hold as a text, so that people can
 * compare old entries with new ones; every other caller says its kind. A text stays as it is.
 *
 * @example
 * callerText({ kind: 'token', id: '047e781b-3f2a-4c07', name: 'root@vm' }); // 'root@vm (047e781b)'
 * callerText({ kind: 'person', id: 'p7', name: 'Mia' }); // 'Mia (person p7)'
 * callerText({ kind: 'policy', id: 'pump', name: 'pump' }); // 'policy pump'
 * callerText('root@vm (047e781b)'); // 'root@vm (047e781b)'
 */
export function callerText(caller: Caller | string): string {
  if (typeof caller === 'string') return caller;
  const { kind, id, name } = caller;
  if (name === '' || name === id) return `${kind} ${id}`;
  const shown = id.slice(0, ID_SHOWN);
  return kind === 'token' ? `${name} (${shown})` : `${name} (${kind} ${shown})`;
}

/**
 * Tells whether a value from outside is a caller: each of the three members has its form. Further members do no harm.
 *
 * @example
 * isCaller({ kind: 'person', id: 'p7', name: 'Mia' }); // true
 * isCaller('Mia'); // false: a text of an earlier release
 */
export function isCaller(value: unknown): value is Caller {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, id, name } = value as Readonly<Record<string, unknown>>;
  return (
    (CALLER_KINDS as readonly unknown[]).includes(kind) && typeof id === 'string' && typeof name === 'string'
  );
}
