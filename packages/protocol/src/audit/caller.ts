/** Who gives an order: a value, so that it can be compared, permitted and searched, and not only shown. */

export const CALLER_KINDS = ['person', 'token', 'program', 'policy', 'rollout', 'time'] as const;
export type CallerKind = (typeof CALLER_KINDS)[number];

export interface Caller {
  readonly kind: CallerKind;
  /** Never changes, and is never given to another caller of this kind. */
  readonly id: string;
  /** For people; it can change. */
  readonly name: string;
}

/** Longer ids are cut for people: the audit trail has the whole. */
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

/** Tells whether a value from outside is a caller: the three members, each of its form. Others do no harm. */
export function isCaller(value: unknown): value is Caller {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, id, name } = value as Readonly<Record<string, unknown>>;
  return (
    (CALLER_KINDS as readonly unknown[]).includes(kind) && typeof id === 'string' && typeof name === 'string'
  );
}
