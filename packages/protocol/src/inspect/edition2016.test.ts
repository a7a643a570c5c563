import { describe, expect, it } from 'vitest';
import { encodeText } from '../wire/text.ts';
import { fromHex, toHex } from '../wire/encoding.ts';
import { decode2016, encode2016, type Message2016 } from './edition2016.ts';

/** Table III of the paper of 2016, row by row. */
const TABLE_III = [
  '01', // version
  '01', // type
  '0008 5349475f44415441', // signature SIG_DATA
  '0006 544152474554', // target TARGET
  '0005 544f4b454e', // token TOKEN
  '0017 68747470733a2f2f7777772e6578616d706c652e636f6d', // url https://www.example.com
  '0006 444947455354', // digest DIGEST
]
  .join('')
  .replaceAll(' ', '');

const TABLE_II: Message2016 = {
  type: 'INITIATE',
  signature: encodeText('SIG_DATA'),
  body: {
    target: encodeText('TARGET'),
    token: encodeText('TOKEN'),
    url: encodeText('https://www.example.com'),
    digest: encodeText('DIGEST'),
  },
};

const RESPONSE: Message2016 = {
  type: 'RESPONSE',
  signature: encodeText('S'),
  body: { token: encodeText('T'), status: 0xfd },
};
const ACTIVATE: Message2016 = {
  type: 'ACTIVATE',
  signature: encodeText('S'),
  body: { token: encodeText('T') },
};

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) as Uint8Array;
}

describe('edition 2016 (P 1.2)', () => {
  it('encodes Table II to Table III', () => {
    expect(toHex(encode2016(TABLE_II))).toBe(TABLE_III);
  });

  it('decodes Table III to Table II', () => {
    expect(decode2016(bytesOf(TABLE_III))).toEqual({ ok: true, value: TABLE_II });
  });

  it('gives RESPONSE one status byte without a length (Table IV)', () => {
    expect(toHex(encode2016(RESPONSE))).toBe('0102' + '000153' + '000154' + 'fd');
    expect(decode2016(encode2016(RESPONSE))).toEqual({ ok: true, value: RESPONSE });
  });

  it('gives ACTIVATE a signature and a token (Table VI)', () => {
    expect(toHex(encode2016(ACTIVATE))).toBe('0103' + '000153' + '000154');
    expect(decode2016(encode2016(ACTIVATE))).toEqual({ ok: true, value: ACTIVATE });
  });

  it.each([
    ['no byte at all', '', 'WIRE_SHORT', 0],
    ['another edition', '0501', 'WIRE_EDITION', 0],
    ['an unknown type', '0104', 'WIRE_TYPE', 1],
    ['a status that is missing', '0102000153000154', 'WIRE_SHORT', 8],
    ['bytes left over', '010300015300015400', 'WIRE_TRAILING', 8],
  ])('refuses %s', (_what, hex, code, offset) => {
    expect(decode2016(bytesOf(hex))).toEqual({ ok: false, stage: 'wire', code, offset });
  });

  it('refuses every proper beginning of a message', () => {
    const whole = bytesOf(TABLE_III);
    for (let length = 0; length < whole.length; length++) {
      expect(decode2016(whole.subarray(0, length))).toMatchObject({ ok: false, code: 'WIRE_SHORT' });
    }
  });

  it('refuses a message over the limit that it is given', () => {
    const whole = bytesOf(TABLE_III);
    expect(decode2016(whole, whole.length)).toMatchObject({ ok: true });
    expect(decode2016(whole, whole.length - 1)).toMatchObject({ ok: false, code: 'WIRE_TOO_LONG' });
  });
});
