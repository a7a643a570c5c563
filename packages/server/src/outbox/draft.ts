/** The stored form of a message that is not signed yet: its draft as JSON, with bytes and identities in hex. */
import { fromHex, layoutOf, toHex, type Draft } from '@srup/protocol';

type StoredValue = string | number | { readonly hex: string } | { readonly id: string };

interface StoredDraft {
  readonly type: Draft['type'];
  readonly token: string;
  readonly body: Readonly<Record<string, StoredValue>>;
}

/**
 * Tells whether the body of a message is sealed before it is signed. Until then it holds a secret, such as a nonce, in
 * clear.
 *
 * @example
 * isSealing({ type: 'HM_JOIN_RESP' }); // true
 */
export function isSealing({ type }: Pick<Draft, 'type'>): boolean {
  return layoutOf(type).fields.some(({ kind }) => kind === 'sealed');
}

/**
 * Writes a draft as bytes. Throws TypeError for a draft that seals: its secret must never lie on a disk in clear, not
 * for a moment. Such a message is sealed and signed before the commit.
 *
 * @example
 * writeDraft({ type: 'ACTION', token, body: { actionId: 4 } }); // bytes of {"type":"ACTION","token":"...","body":...}
 */
export function writeDraft(draft: Draft): Uint8Array {
  if (isSealing(draft)) throw new TypeError(`${draft.type} is sealed before it is stored`);
  const body = Object.entries(draft.body).map(([name, value]): [string, StoredValue] => [name, store(value)]);
  const stored: StoredDraft = { type: draft.type, token: toHex(draft.token), body: Object.fromEntries(body) };
  return new TextEncoder().encode(JSON.stringify(stored));
}

/**
 * Reads a draft that `writeDraft` wrote. Throws SyntaxError for bytes that are not hex, or not JSON.
 *
 * @example
 * readDraft(writeDraft(draft)); // equals draft
 */
export function readDraft(bytes: Uint8Array): Draft {
  const { type, token, body } = JSON.parse(new TextDecoder().decode(bytes)) as StoredDraft;
  const values = Object.entries(body).map(([name, value]) => [name, restore(value)] as const);
  return { type, token: bytesOf(token), body: Object.fromEntries(values) } as unknown as Draft;
}

function store(value: unknown): StoredValue {
  if (value instanceof Uint8Array) return { hex: toHex(value) };
  if (typeof value === 'bigint') return { id: value.toString(16) };
  return value as string | number;
}

function restore(value: StoredValue): unknown {
  if (typeof value !== 'object') return value;
  return 'hex' in value ? bytesOf(value.hex) : BigInt(`0x${value.id}`);
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new SyntaxError('the outbox holds a draft whose bytes are not hex');
  return bytes;
}
