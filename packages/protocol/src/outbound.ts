/**
 * The path of every message that leaves: `Draft -> Numbered -> Signed -> committed -> bytes`. Commit the number and
 * the signed bytes to storage before you send anything (P 5.1). So a number is never used twice.
 */
import type { Identity } from './identity.ts';
import { MAX_U64 } from './limits.ts';
import { encode, encodeHeader } from './message/envelope.ts';
import { layoutOf, type BodyOf, type MessageType } from './message/layouts.ts';
import type { Message } from './message/message.ts';
import type { SealKey, SignKey } from './trust/suite.ts';

/** What an exchange wants to say. It knows nothing of numbers and keys. */
export interface DraftOf<T extends MessageType> {
  readonly type: T;
  readonly token: Uint8Array;
  readonly body: BodyOf<T>;
}
export type Draft = { [T in MessageType]: DraftOf<T> }[MessageType];

/** How a peer has to be spoken to. */
export interface Addressee {
  readonly id: Identity;
  /** Seals the fields of kind `sealed`. In a draft they hold the plaintext. */
  readonly sealKey?: SealKey;
  /** End texts with a NUL, for peers known to be pySRUP (P 2.5). */
  readonly terminatedText?: boolean;
}

/** Both directions of a pair share one counter (P 5.1). */
export interface Counters {
  /** Last number sent to this peer; 0 before the first. */
  readonly sent: bigint;
  /** Highest number accepted from this peer. */
  readonly highest: bigint;
}

/** A message that can leave once it is committed. */
export interface Signed {
  readonly message: Message;
  readonly bytes: Uint8Array;
}

/**
 * Where a server starts to count with a new device: a random number of 62 bits. `random`: 8 random bytes; RangeError
 * for any other number of them.
 *
 * No message of edition 5 says whom it is for. If all counters began at 1, a broker could give one device's command to
 * its sibling. With counters far apart the sibling refuses it as REPLAY_OLD or REPLAY_JUMP. The device follows by the
 * rule of P 5.1.
 */
export function counterStart(random: Uint8Array): bigint {
  if (random.length !== 8) throw new RangeError('the start of a counter takes 8 random bytes');
  let start = BigInt((random[0] as number) & 0x3f);
  for (const byte of random.subarray(1)) start = (start << 8n) | BigInt(byte);
  return start;
}

/**
 * The next number to a peer (P 5.1). RangeError when all 2^64 are used up: the pair must join again.
 *
 * @example
 * nextSequence({ sent: 4n, highest: 7n }); // 8n
 */
export function nextSequence({ sent, highest }: Counters): bigint {
  const last = sent > highest ? sent : highest;
  if (last >= MAX_U64)
    throw new RangeError('the sequence numbers of this pair are used up: register the device anew');
  return last + 1n;
}

/**
 * Numbers, seals and signs a draft. Commit `message.sequence` and `bytes` before you send the bytes (P 5.1). TypeError
 * when a field has to be sealed and the addressee has no key for that.
 *
 * @example
 * const sequence = nextSequence(counters);
 * const { bytes } = await compose(draft, sequence, self, { id: device }, signKey);
 */
export async function compose(
  draft: Draft,
  sequence: bigint,
  sender: Identity,
  addressee: Addressee,
  key: SignKey,
): Promise<Signed> {
  const message = await numbered(draft, sequence, sender, addressee);
  const encoded = encode(message);
  const signature = await key.signAside(encoded.signedBytes);
  return { message, bytes: encoded.assemble(signature) };
}

async function numbered(
  draft: Draft,
  sequence: bigint,
  sender: Identity,
  addressee: Addressee,
): Promise<Message> {
  const { fields } = layoutOf(draft.type);
  const body: Record<string, unknown> = { ...draft.body };
  const header = encodeHeader({ ...draft, sequence, sender });
  const sealedField = fields.find((field) => field.kind === 'sealed');
  if (sealedField !== undefined) {
    if (addressee.sealKey === undefined) throw new TypeError(`${draft.type} needs the key to seal with`);
    const plaintext = body[sealedField.name] as Uint8Array;
    body[sealedField.name] = await addressee.sealKey.seal(plaintext, { recipient: addressee.id, header });
  }
  const terminated = fields.filter((field) => field.kind === 'cstring').map((field) => field.name);
  const texts = addressee.terminatedText === true && terminated.length > 0 ? { terminated } : {};
  return { type: draft.type, sequence, sender, token: draft.token, body, ...texts } as Message;
}
