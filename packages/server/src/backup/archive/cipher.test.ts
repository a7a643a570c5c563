import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test, vi } from 'vitest';
import { Secret } from '@srup/node';
import { decrypt, encrypt, isEncrypted } from './cipher.ts';

const CHUNK = 65_536 + 16;
const HEADER = 24;
const passphrase = new Secret('correct horse battery');
const plain = randomBytes(3 * 65_536);

// Keys from passphrases take their time, more so on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let sealed: Buffer;

async function* pieces(bytes: Buffer, size = 10_007): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const open = (bytes: Buffer, by = passphrase): Promise<Buffer> => collect(decrypt(pieces(bytes), by));

beforeAll(async () => {
  sealed = await collect(encrypt(pieces(plain), passphrase));
});

test('decrypts what it encrypted, and shows nothing of it', async () => {
  expect(isEncrypted(sealed)).toBe(true);
  expect(await open(sealed)).toEqual(plain);
  expect(sealed.includes(plain.subarray(1000, 1016))).toBe(false);
});

test('encrypts an empty content too', async () => {
  expect(await open(await collect(encrypt(pieces(Buffer.alloc(0)), passphrase)))).toHaveLength(0);
});

test('opens with no other passphrase', async () => {
  await expect(open(sealed, new Secret('correct horse batterz'))).rejects.toThrow(/passphrase is wrong/);
});

const changes: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  'cut off after a whole chunk': (bytes) => bytes.subarray(0, HEADER + 2 * CHUNK),
  'something behind it': (bytes) => Buffer.concat([bytes, Buffer.from('x')]),
  'one bit': (bytes) => {
    bytes.writeUInt8(bytes.readUInt8(HEADER + CHUNK) ^ 1, HEADER + CHUNK);
    return bytes;
  },
  'two chunks change places': (bytes) =>
    Buffer.concat([
      bytes.subarray(0, HEADER),
      bytes.subarray(HEADER + CHUNK, HEADER + 2 * CHUNK),
      bytes.subarray(HEADER, HEADER + CHUNK),
      bytes.subarray(HEADER + 2 * CHUNK),
    ]),
};

test.each(Object.entries(changes))('is refused when changed: %s', async (_what, change) => {
  await expect(open(change(Buffer.from(sealed)))).rejects.toMatchObject({ name: 'BackupError' });
});
