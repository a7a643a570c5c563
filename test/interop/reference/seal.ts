/** How pySRUP hides the code of a join: AES-256-CBC under a key that RSA (PKCS#1 v1.5) carries. */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';

const PADDING = constants.RSA_PKCS1_PADDING;
const KEY_BYTES = 32;
const IV_BYTES = 16;

export function seal(text: string, publicPem: string): Buffer {
  const key = randomBytes(KEY_BYTES);
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  const hidden = Buffer.concat([cipher.update(text), cipher.final()]);
  const carried = publicEncrypt({ key: publicPem, padding: PADDING }, key);
  return Buffer.concat([
    int32(carried.length),
    carried,
    iv,
    int32(hidden.length),
    int32(text.length),
    hidden,
  ]);
}

export function open(sealed: Buffer, privatePem: string): string {
  const carriedEnd = 4 + sealed.readInt32LE(0);
  const ivEnd = carriedEnd + IV_BYTES;
  const key = privateDecrypt({ key: privatePem, padding: PADDING }, sealed.subarray(4, carriedEnd));
  const cipher = createDecipheriv('aes-256-cbc', key, sealed.subarray(carriedEnd, ivEnd));
  return Buffer.concat([cipher.update(sealed.subarray(ivEnd + 8)), cipher.final()]).toString();
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
