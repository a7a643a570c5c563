/**
 * A backup under a passphrase: `magic | salt | chunks`. The key comes from scrypt. Each chunk is AES-256-GCM with its
 * place and "last or not" in the nonce, so that no chunk can be changed, moved, repeated or cut off unnoticed.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { Secret } from '@srup/node';
import { BackupError } from './fault.ts';

/** It contains the version of the form. The constants below belong to that version. */
const MAGIC = Buffer.from('SRUPBAK1');
const SALT_BYTES = 16;
const HEADER_BYTES = MAGIC.length + SALT_BYTES;
const CHUNK_BYTES = 65_536;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** Each guess costs 128 MiB and about half a second. */
const COST = { N: 2 ** 17, r: 8, p: 1, maxmem: 160 * 2 ** 20 } as const;
const ALGORITHM = 'aes-256-gcm';

/** The least characters of a passphrase. */
export const LEAST_PASSPHRASE = 12;

const derive = promisify<string, Buffer, number, typeof COST, Buffer>(scrypt);

export function isEncrypted(start: Uint8Array): boolean {
  return MAGIC.equals(start.subarray(0, MAGIC.length));
}

/** Encrypts a stream under a passphrase. */
export async function* encrypt(
  plain: AsyncIterable<Uint8Array>,
  passphrase: Secret,
): AsyncGenerator<Uint8Array, void> {
  const header = Buffer.concat([MAGIC, randomBytes(SALT_BYTES)]);
  const key = await derive(passphrase.reveal(), header.subarray(MAGIC.length), KEY_BYTES, COST);
  yield header;
  let place = 0;
  for await (const { chunk, isLast } of cut(plain, CHUNK_BYTES)) {
    const cipher = createCipheriv(ALGORITHM, key, nonceOf(place++, isLast)).setAAD(header);
    yield Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
  }
}

/** Decrypts what `encrypt` gave. Throws BackupError for a wrong passphrase and for every change. */
export async function* decrypt(
  sealed: AsyncIterable<Uint8Array>,
  passphrase: Secret,
): AsyncGenerator<Uint8Array, void> {
  let header: Buffer | undefined;
  let key: Buffer = Buffer.alloc(0);
  let place = 0;
  const take = async (start: Buffer): Promise<void> => {
    header = Buffer.from(start);
    key = await derive(passphrase.reveal(), header.subarray(MAGIC.length), KEY_BYTES, COST);
  };
  for await (const { chunk, isLast } of cut(sealed, CHUNK_BYTES + TAG_BYTES, HEADER_BYTES, take)) {
    if (header === undefined || chunk.length < TAG_BYTES) throw spoilt(place);
    const decipher = createDecipheriv(ALGORITHM, key, nonceOf(place, isLast), { authTagLength: TAG_BYTES });
    decipher.setAAD(header).setAuthTag(chunk.subarray(-TAG_BYTES));
    let plain: Buffer;
    try {
      plain = Buffer.concat([decipher.update(chunk.subarray(0, -TAG_BYTES)), decipher.final()]);
    } catch {
      throw spoilt(place);
    }
    place++;
    yield plain;
  }
}

function spoilt(place: number): BackupError {
  return new BackupError(
    place === 0
      ? 'The backup does not open: the passphrase is wrong, or the file was changed. Try the right passphrase, or another copy.'
      : 'The backup was changed or is not whole. Use another copy.',
  );
}

function nonceOf(place: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(place, 5, 6);
  nonce.writeUInt8(isLast ? 1 : 0, 11);
  return nonce;
}

interface Chunk {
  readonly chunk: Buffer;
  readonly isLast: boolean;
}

/** Cuts a stream into pieces of one size. The last can be shorter, or empty. `takeStart` gets the bytes before them. */
async function* cut(
  source: AsyncIterable<Uint8Array>,
  size: number,
  startBytes = 0,
  takeStart: (start: Buffer) => Promise<void> = async () => undefined,
): AsyncGenerator<Chunk, void> {
  let held: Buffer = Buffer.alloc(0);
  let isStarted = startBytes === 0;
  for await (const piece of source) {
    held = Buffer.concat([held, piece]);
    if (!isStarted && held.length >= startBytes) {
      isStarted = true;
      await takeStart(held.subarray(0, startBytes));
      held = held.subarray(startBytes);
    }
    // Only a byte after a piece shows that the piece is not the last.
    while (isStarted && held.length > size) {
      yield { chunk: held.subarray(0, size), isLast: false };
      held = held.subarray(size);
    }
  }
  yield { chunk: held, isLast: true };
}
