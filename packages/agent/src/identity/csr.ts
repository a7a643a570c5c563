import { createPrivateKey, createPublicKey, generateKeyPair, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '@srup/node';

/** Makes a key for TLS, which is never the SRUP key (P 8.3). PEM, PKCS#8. */
export async function makeTlsKey(): Promise<Secret> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  return new Secret(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
}

/** Makes a certificate request for the id (PKCS #10, RFC 2986), signed with its key. PEM. */
export function makeCsr(id: string, key: Secret): string {
  const privateKey = createPrivateKey(key.reveal());
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const commonName = der(SEQUENCE, COMMON_NAME, der(UTF8_STRING, Buffer.from(id)));
  const subject = der(SEQUENCE, der(SET, commonName));
  const request = der(SEQUENCE, VERSION_1, subject, publicKey, NO_ATTRIBUTES);
  const signature = der(BIT_STRING, ALL_BITS_USED, sign('sha256', request, privateKey));
  const signed = der(SEQUENCE, request, der(SEQUENCE, ECDSA_WITH_SHA256), signature);
  const lines = signed.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE REQUEST-----', ...lines, '-----END CERTIFICATE REQUEST-----', ''].join(
    '\n',
  );
}

const BIT_STRING = 0x03;
const UTF8_STRING = 0x0c;
const SEQUENCE = 0x30;
const SET = 0x31;
const VERSION_1 = Buffer.from('020100', 'hex');
const COMMON_NAME = Buffer.from('0603550403', 'hex');
const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex');
const NO_ATTRIBUTES = Buffer.from('a000', 'hex');
const ALL_BITS_USED = Buffer.from('00', 'hex');

/** Writes tag, length and content (X.690). The content has at most 65,535 bytes. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
