import { beforeAll, describe, expect, it } from 'vitest';
import { batch, negative, pem, vector, vectors, type Line, type Vector } from '../../test/message-vectors.ts';

/** What the vectors call otherwise than the message table. */
const NAMES: Readonly<Record<string, string>> = { deviceSequence: 'index', reqId: 'requestId' };

/** The body as the vector tells it; sealed fields and binary data are compared elsewhere. */
function expectedBody({ fields }: Vector): Line {
  const entries = Object.entries(fields).filter(([name]) => !name.startsWith('plaintext') && name !== 'data');
  return Object.fromEntries(
    entries.map(([name, value]) => [
      NAMES[name] ?? name,
      typeof value === 'string' && value.startsWith('0x') ? BigInt(value).toString() : value,
    ]),
  );
}

describe('srup message decode --batch', () => {
  it('reads, verifies and opens every vector of the reference', async () => {
    const answers = await batch(
      'decode',
      vectors.map(({ id, hex, signingKey, encryptedFor }) => ({
        id,
        hex,
        publicKeyPem: pem(signingKey, 'publicKeyPem'),
        openKeyPem: pem(encryptedFor, 'privateKeyPem'),
      })),
    );
    expect(answers.map(({ id }) => id)).toEqual(vectors.map(({ id }) => id));
    vectors.forEach((expected, at) => {
      expect(answers[at]).toMatchObject({
        ok: true,
        edition: 5,
        type: expected.type,
        sequence: expected.sequenceId,
        sender: expected.senderId,
        ...(expected.token === undefined ? { tokenHex: expected.tokenHex } : { token: expected.token }),
        body: expectedBody(expected),
        signature: expected.signingKey === null ? 'unchecked' : 'valid',
      });
    });
  });

  it('opens what is sealed to the text or the bytes that were sealed', async () => {
    const sealed = vectors.filter(({ encryptedFor }) => encryptedFor !== undefined);
    const openKeyPem = pem('recipient', 'privateKeyPem');
    const answers = await batch(
      'decode',
      sealed.map(({ hex }) => ({ hex, openKeyPem })),
    );
    expect(sealed.length).toBe(21);
    sealed.forEach(({ fields: { plaintext, plaintextHex } }, at) => {
      const { opened, openedHex } = answers[at]!;
      expect({ plaintext: opened, plaintextHex: openedHex }).toEqual({ plaintext, plaintextHex });
    });
  });

  it('gives bytes as text too where they are text', async () => {
    const [text, binary] = await batch('decode', [
      { hex: vector('DATA-24').hex },
      { hex: vector('DATA-25').hex },
    ]);
    expect(text!['body']).toEqual({
      dataId: 'température',
      data: '21 °C ✓',
      dataHex: Buffer.from('21 °C ✓').toString('hex'),
    });
    expect(binary!['body']).toEqual({ dataId: 'blob', dataHex: '00010203fffe00' });
  });

  it('says which texts end with a NUL', async () => {
    const answers = await batch('decode', [
      { hex: vector('INITIATE-1').hex },
      { hex: vector('INITIATE-2').hex },
    ]);
    expect(answers.map(({ terminatedText }) => terminatedText)).toEqual([undefined, true]);
  });

  it('says which readable messages no transport carries', async () => {
    const answers = await batch('decode', [
      { hex: vector('ACTIVATE-6').hex },
      { hex: vector('INITIATE-7').hex },
    ]);
    expect(answers.map(({ ok, refusedOnTransport }) => [ok, refusedOnTransport])).toEqual([
      [true, 'WIRE_TOKEN_LONG'],
      [true, 'WIRE_TOO_LONG'],
    ]);
  });

  it('does not open a message whose signature is wrong', async () => {
    const { hex } = vector('HM_JOIN_RESP-1');
    const [answer] = await batch('decode', [
      { hex, publicKeyPem: pem('other', 'publicKeyPem'), openKeyPem: pem('recipient', 'privateKeyPem') },
    ]);
    expect(answer).toMatchObject({ ok: false, code: 'AUTH_SIGNATURE' });
    expect(answer).not.toHaveProperty('opened');
  });

  it('has one answer for every sealed field that does not open (P 4.3)', async () => {
    const { hex } = vector('HM_JOIN_RESP-1');
    const openKeyPem = pem('recipient', 'privateKeyPem');
    const blobAt = hex.length - 332 * 2;
    const damaged = [0, 8, 300, 536, 560, 600].map((at) => {
      const digit = hex[blobAt + at] === '0' ? '1' : '0';
      return hex.slice(0, blobAt + at) + digit + hex.slice(blobAt + at + 1);
    });
    const answers = await batch('decode', [
      ...damaged.map((bad) => ({ hex: bad, openKeyPem })),
      { hex, openKeyPem: pem('other', 'privateKeyPem') },
      { hex: vector('SYNDICATION_INIT-4').hex, openKeyPem },
    ]);
    // CBC has no authentication: damage to the IV or the last length may give other bytes, never an explanation.
    const refusals = answers.filter(({ ok }) => ok === false);
    expect(refusals.length).toBeGreaterThan(3);
    for (const { code, message } of refusals) {
      expect([code, message]).toEqual(['FLOW_SEAL', 'The sealed field does not open.']);
    }
  });

  it('answers a bad line with its code, and goes on', async () => {
    const { hex } = vector('ACTION-1');
    const good = { id: 'good', hex };
    const answers = await batch('decode', [
      good,
      'no JSON',
      '[1]',
      '',
      { id: 7 },
      { id: null, hex: 'xyz' },
      { id: { a: 1 }, hex },
      `{"id":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      { id: 'typo', hex, publickeyPem: 'x' },
      { id: 'key', hex, publicKeyPem: 'no key' },
      { id: 'kind', hex: 5 },
      { id: 'recipient', hex, recipient: 'b9d0' },
      { id: 'none', hex: '' },
      '{"id":"proto","hex":"05","__proto__":1}',
      good,
    ]);
    expect(answers.map(({ id, ok, code, line }) => [line ?? id, ok, code])).toEqual([
      ['good', true, undefined],
      [2, false, 'INPUT_JSON'],
      [3, false, 'INPUT_JSON'],
      [7, false, 'INPUT_FORM'],
      [null, false, 'INPUT_FORM'],
      [7, false, 'INPUT_FORM'],
      [8, false, 'INPUT_FORM'],
      ['typo', false, 'INPUT_FORM'],
      ['key', false, 'KEY_MALFORMED'],
      ['kind', false, 'INPUT_FORM'],
      ['recipient', false, 'INPUT_FORM'],
      ['none', false, 'WIRE_SHORT'],
      ['proto', false, 'INPUT_FORM'],
      ['good', true, undefined],
    ]);
  });

  it('knows edition 2016', async () => {
    const hex = '010100085349475f444154410006544152474554' + '0005544f4b454e' + '0001750001ff';
    const [good, short] = await batch('decode', [
      { hex, publicKeyPem: pem('sender', 'publicKeyPem') },
      { hex: '0104' },
    ]);
    expect(good).toEqual({
      ok: true,
      edition: 2016,
      type: 'INITIATE',
      token: 'TOKEN',
      body: { target: 'TARGET', targetHex: '544152474554', url: 'u', urlHex: '75', digestHex: 'ff' },
      signature: 'unchecked',
    });
    expect(short).toMatchObject({ ok: false, code: 'WIRE_TYPE', offset: 1 });
  });
});

// P 2.4, 3, 4.6: stricter than the reference, which takes the two C2 requests and the trailing bytes.
describe('srup message decode and the negative vectors', () => {
  const EXPECTED = [
    ['wrong key', 'AUTH_SIGNATURE'],
    ['version 4', 'WIRE_EDITION'],
    ['type byte changed', 'WIRE_TRAILING'],
    ['sequence changed', 'AUTH_SIGNATURE'],
    ['sender changed', 'AUTH_SIGNATURE'],
    ['token changed', 'AUTH_SIGNATURE'],
    ['signature changed', 'AUTH_SIGNATURE'],
    ['body changed', 'AUTH_SIGNATURE'],
    ['trailing garbage', 'WIRE_TRAILING'],
    ['C2 request without its two surplus zero bytes', 'WIRE_SHORT'],
    ['C2 request with surplus bytes changed', 'WIRE_RESERVED'],
    ['unknown message type 0x7f', 'WIRE_TYPE'],
    ['truncated after token', 'WIRE_SHORT'],
    ['empty signature', 'AUTH_SIGNATURE'],
    ['url without NUL length kept', 'AUTH_SIGNATURE'],
  ] as const;
  let answers: Line[];

  beforeAll(async () => {
    answers = await batch(
      'decode',
      negative.map(({ name, hex, publicKey }) => ({
        id: name,
        hex,
        publicKeyPem: pem(publicKey, 'publicKeyPem'),
      })),
    );
  });

  it.each(EXPECTED)('"%s" is refused as %s', (name, code) => {
    const answer = answers.find(({ id }) => id === name);
    expect(answer).toMatchObject({ ok: false, code, message: expect.any(String) as string });
    if (code === 'AUTH_SIGNATURE') {
      expect(answer).toMatchObject({ signature: 'invalid', type: expect.any(String) as string, body: {} });
    }
  });

  it('a JOIN_REQ passed off as another type is called by its name', () => {
    const [answer] = answers.filter(({ id }) => !EXPECTED.some(([name]) => name === id));
    expect(answer).toMatchObject({ ok: true, type: 'JOIN_REQ', signature: 'valid' });
  });
});
