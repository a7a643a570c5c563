import type { VerifyKey } from '../trust/suite.ts';
import { parseIdentity } from '../identity.ts';
import { encodeText } from '../wire/text.ts';
import type { HexSha256 } from './entry.ts';

/** A server's statement that its trail, up to an entry, is this one and no other. */
export interface Checkpoint {
  /** The server's identity as hex text. */
  readonly server: string;
  readonly seq: number;
  /** The link hash of that entry. */
  readonly hash: string;
  /** Ms since 1970, by the server's clock. */
  readonly at: number;
  /** The `checkpointHash` of the checkpoint before; empty for the first one. */
  readonly previous: string;
}

/** A checkpoint as it is stored and given to witnesses. */
export interface SignedCheckpoint {
  /** Exactly the text that is signed. */
  readonly text: string;
  /** Ed25519, hex. */
  readonly signature: string;
}

const HEAD = 'SRUP audit checkpoint 1';

/**
 * The text to sign. It begins with 0x53, and a SRUP message begins with its edition, 0x01 or 0x05. So a signature of
 * the one is never good for the other, although both are by the same key.
 */
export function checkpointText({ server, seq, hash, at, previous }: Checkpoint): string {
  return `${HEAD}\nserver ${server}\nseq ${seq}\nhash ${hash}\nat ${at}\nprevious ${previous === '' ? '-' : previous}\n`;
}

export function checkpointHash(text: string, sha256: HexSha256): string {
  return sha256(text);
}

const FORM =
  /^SRUP audit checkpoint 1\nserver ([0-9a-f]{1,16})\nseq ([1-9][0-9]{0,15})\nhash ([0-9a-f]{64})\nat ([0-9]{1,16})\nprevious (-|[0-9a-f]{64})\n$/;

/** Reads the text of a checkpoint; undefined for any other text. */
export function readCheckpoint(text: string): Checkpoint | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, server = '', seq = '', hash = '', at = '', previous = ''] = match;
  if (parseIdentity(server) === undefined) return undefined;
  const checkpoint = {
    server,
    seq: Number(seq),
    hash,
    at: Number(at),
    previous: previous === '-' ? '' : previous,
  };
  return Number.isSafeInteger(checkpoint.seq) && Number.isSafeInteger(checkpoint.at) ? checkpoint : undefined;
}

/** Checks the signature of a checkpoint. Only an Ed25519 key signs checkpoints. */
export function isSignedBy(
  { text, signature }: { readonly text: string; readonly signature: Uint8Array },
  key: VerifyKey,
): boolean {
  return key.suite === 'ed25519' && signature.length === 64 && key.verify(encodeText(text), signature);
}
