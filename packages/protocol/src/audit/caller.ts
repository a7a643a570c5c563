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

/** Ids longer than this are cut for people. The audit trail has the whole id. */
const ID_SHOWN = 8;
const ID_CUT = 4;

/**
 * Puts a caller into words. An entry of an earlier release holds a text; it stays as it is.
 *
 * @example
 * callerText({ kind: 'token', id: '3f2a91c07be4', name: 'alice' }); // 'alice (token 3f2a…)'
 * callerText('night shift'); // 'night shift'
 */
export function callerText(caller: Caller | string): string {
  if (typeof caller === 'string') return caller;
  const { kind, id, name } = caller;
  if (name === '' || name === id) return `${kind} ${id}`;
  return `${name} (${kind} ${id.length > ID_SHOWN ? `${id.slice(0, ID_CUT)}…` : id})`;
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
