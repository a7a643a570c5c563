/** A certificate request as pySRUP makes one: subject C=UK, ST=UNK, L=UNK, O=SRUP_DEVICE, CN=id; RSA with SHA-256. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';

const SEQUENCE = 0x30;
const SET = 0x31;
const UTF8 = 0x0c;
const PRINTABLE = 0x13;
const VERSION_0 = Buffer.from('020100', 'hex');
const NO_ATTRIBUTES = Buffer.from('a000', 'hex');
const SHA256_WITH_RSA = Buffer.from('300d06092a864886f70d01010b0500', 'hex');

/** The last arc of 2.5.4.x, how the text is marked, and the text. */
const SUBJECT: readonly (readonly [number, number, string])[] = [
  [6, PRINTABLE, 'UK'],
  [8, UTF8, 'UNK'],
  [7, UTF8, 'UNK'],
  [10, UTF8, 'SRUP_DEVICE'],
];

export function makeRequest(id: string, privatePem: string): string {
  const publicKey = createPublicKey(createPrivateKey(privatePem)).export({ format: 'der', type: 'spki' });
  const names = [...SUBJECT, [3, UTF8, id] as const].map(([arc, mark, text]) => {
    const attribute = [Buffer.of(0x06, 3, 0x55, 4, arc), der(mark, Buffer.from(text))];
    return der(SET, der(SEQUENCE, ...attribute));
  });
  const info = der(SEQUENCE, VERSION_0, der(SEQUENCE, ...names), publicKey, NO_ATTRIBUTES);
  const signature = der(0x03, Buffer.of(0), sign('sha256', info, privatePem));
  const lines = der(SEQUENCE, info, SHA256_WITH_RSA, signature)
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines}-----END CERTIFICATE REQUEST-----\n`;
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}
