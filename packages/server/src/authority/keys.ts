import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '@srup/node';
import type { Random } from '@srup/protocol';

const SERIAL_BYTES = 16;

const makePair = promisify(generateKeyPair);

/** Makes an EC P-256 key as PKCS#8 PEM, for the CA and for the server's own TLS. */
export async function makeTlsKey(): Promise<Secret> {
  const { privateKey } = await makePair('ec', { namedCurve: 'P-256' });
  return new Secret(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
}

export function parseKey(pem: Secret): KeyObject {
  return createPrivateKey(pem.reveal());
}

/** Hex of 126 random bits. The top bits are 01, so that the number is positive and has the same length in every form. */
export function newSerial(random: Random): string {
  const bytes = Buffer.from(random.bytes(SERIAL_BYTES));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}
