import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../testing/random.ts';
import { randomMessageBytes } from '../testing/random-message.ts';
import { fromHex, toHex } from '../wire/encoding.ts';
import { encodeText } from '../wire/text.ts';
import { decode, encode, type Decoded, type DecodeLimits } from '../message/envelope.ts';
import { fromJsonForm, toJsonForm } from './json-form.ts';
import { LAYOUTS } from '../message/layouts.ts';
import type { Message } from '../message/message.ts';

/** For the vectors that no transport carries: a token of 300 bytes, a message over 65,535. */
const WIDE: DecodeLimits = { messageBytes: 1 << 20, tokenBytes: 65_535 };

const { vectors } = JSON.parse(
  readFileSync(new URL('../../../../vectors/srup-v5.json', import.meta.url), 'utf8'),
) as { vectors: { id: string; hex: string }[] };

function decoded(bytes: Uint8Array): Decoded {
  const result = decode(bytes, WIDE);
  if (!result.ok) throw new Error(result.code);
  return result.value;
}

/** Through a text and back, as over HTTPS. */
function throughText(bytes: Uint8Array): Uint8Array | string {
  const form: unknown = JSON.parse(JSON.stringify(toJsonForm(decoded(bytes))));
  const back = fromJsonForm(form, WIDE);
  return back.ok ? back.value.bytes : back.code;
}

const HEAD = { sequence: 42n, sender: 0xb9d077e223834cf6n, token: encodeText('TOKEN') };

function formOf(message: Message): Record<string, unknown> {
  return { ...toJsonForm(decoded(encode(message).assemble(Uint8Array.of(1, 2, 3)))) };
}

const ACTION = formOf({ ...HEAD, type: 'ACTION', body: { actionId: 4 } });
const INITIATE = formOf({ ...HEAD, type: 'INITIATE', body: { url: 'https://a.example', digest: 'd' } });
const DATA = formOf({ ...HEAD, type: 'DATA', body: { dataId: 'x', data: Uint8Array.of(0xff) } });
const JOIN_CMD = formOf({ ...HEAD, type: 'JOIN_CMD', body: { deviceId: 0xabcn } });

function code(form: unknown): string | undefined {
  const result = fromJsonForm(form);
  return result.ok ? undefined : result.code;
}

describe('the JSON form (P 11.1)', () => {
  it('looks as the clause says', () => {
    expect(ACTION).toEqual({
      srup: 5,
      type: 'ACTION',
      sequence: '42',
      sender: 'b9d077e223834cf6',
      token: 'VE9LRU4',
      signature: 'AQID',
      body: { actionId: 4 },
    });
  });

  it('writes ids as hex, bytes as base64url, texts as texts, and no reserved bytes', () => {
    expect(JOIN_CMD['body']).toEqual({ deviceId: 'abc' });
    expect(DATA['body']).toEqual({ dataId: 'x', data: '_w' });
    const request = formOf({
      ...HEAD,
      type: 'SYNDICATED_C2_REQ',
      body: { data: Uint8Array.of(), requestId: 1 },
    });
    expect(request['body']).toEqual({ data: '', requestId: 1 });
  });

  it('keeps which texts ended with a NUL', () => {
    const message: Message = { ...HEAD, type: 'INITIATE', body: { url: 'u', digest: 'd' } };
    expect(formOf(message)).not.toHaveProperty('terminatedText');
    expect(formOf({ ...message, terminated: ['url'] })['terminatedText']).toEqual(['url']);
    expect(formOf({ ...message, terminated: ['url', 'digest'] })['terminatedText']).toBe(true);
  });

  it.each(vectors)('gives back the bytes of $id', ({ hex }) => {
    const back = throughText(fromHex(hex) as Uint8Array);
    expect(typeof back === 'string' ? back : toHex(back)).toBe(hex);
  });

  it.each(LAYOUTS)('gives back the bytes of random $type messages', ({ type }) => {
    const random = seededRandom(11);
    for (let round = 0; round < 50; round++) {
      const bytes = randomMessageBytes(random, type);
      expect(throughText(bytes)).toEqual(bytes);
    }
  });
});

describe('the JSON form is strict', () => {
  it.each([
    ['no object', null],
    ['a list', []],
    ['a text', 'ACTION'],
    ['a missing key', { ...ACTION, token: undefined, signature: undefined }],
    ['a foreign key', { ...ACTION, note: 'x' }],
    ['a foreign key in the body', { ...ACTION, body: { actionId: 4, note: 1 } }],
    ['a missing key in the body', { ...ACTION, body: {} }],
    ['a body that is a list', { ...ACTION, body: [] }],
    ['a type that is not a text', { ...ACTION, type: 4 }],
    ['a sequence as a number', { ...ACTION, sequence: 42 }],
    ['a sequence with a zero in front', { ...ACTION, sequence: '042' }],
    ['a sequence with a sign', { ...ACTION, sequence: '+42' }],
    ['a sequence in hex', { ...ACTION, sequence: '0x2a' }],
    ['an empty sequence', { ...ACTION, sequence: '' }],
    ['a sequence of 2^64', { ...ACTION, sequence: '18446744073709551616' }],
    ['a sender in upper case', { ...ACTION, sender: 'B9D077E223834CF6' }],
    ['a sender with a zero in front', { ...ACTION, sender: '0b9d077e22383' }],
    ['a sender of 17 digits', { ...ACTION, sender: '1b9d077e223834cf6' }],
    ['a token with padding', { ...ACTION, token: 'VE9LRU4=' }],
    ['a token in the other base64', { ...ACTION, token: '+/+/' }],
    ['a token with bits that no byte uses', { ...ACTION, token: 'VE9LRU5' }],
    ['a token that is not a text', { ...ACTION, token: 5 }],
    ['a signature with a space', { ...ACTION, signature: 'AQ ID' }],
    ['a number with a fraction', { ...ACTION, body: { actionId: 4.5 } }],
    ['a number as text', { ...ACTION, body: { actionId: '4' } }],
    ['a number that is negative', { ...ACTION, body: { actionId: -1 } }],
    ['a number that does not fit', { ...ACTION, body: { actionId: 256 } }],
    ['an id as a number', { ...JOIN_CMD, body: { deviceId: 5 } }],
    ['an id with 0x', { ...JOIN_CMD, body: { deviceId: '0xabc' } }],
    ['a text that is none', { ...INITIATE, body: { url: 5, digest: 'd' } }],
    ['terminatedText of a type without such texts', { ...ACTION, terminatedText: true }],
    ['terminatedText that is not a list', { ...INITIATE, terminatedText: 'url' }],
    ['terminatedText that is false', { ...INITIATE, terminatedText: false }],
    ['terminatedText that is empty', { ...INITIATE, terminatedText: [] }],
    ['terminatedText that lists all', { ...INITIATE, terminatedText: ['url', 'digest'] }],
    ['terminatedText that lists one twice', { ...INITIATE, terminatedText: ['url', 'url'] }],
    ['terminatedText of a foreign field', { ...INITIATE, terminatedText: ['href'] }],
    ['a signature on a parse view', { ...ACTION, type: 'GENERIC', body: {} }],
  ])('refuses %s', (_what, form) => {
    expect(code(JSON.parse(JSON.stringify(form)))).toBe('WIRE_FORM');
  });

  it('takes a key named __proto__ for what it is', () => {
    const text = JSON.stringify(ACTION).replace('"body":{', '"body":{"__proto__":{},');
    expect(code(JSON.parse(text))).toBe('WIRE_FORM');
  });

  it.each([
    ['another edition', { ...ACTION, srup: 4 }, 'WIRE_EDITION'],
    ['an unknown type', { ...ACTION, type: 'constructor' }, 'WIRE_TYPE'],
    ['an empty token', { ...ACTION, token: '' }, 'WIRE_TOKEN_EMPTY'],
    ['a long token', { ...ACTION, token: 'A'.repeat(344) }, 'WIRE_TOKEN_LONG'],
    ['a NUL in a text', { ...INITIATE, body: { url: 'a\0b', digest: 'd' } }, 'WIRE_NUL'],
    ['a NUL at the end of a text', { ...INITIATE, body: { url: 'a\0', digest: 'd' } }, 'WIRE_NUL'],
    ['a lone surrogate', { ...INITIATE, body: { url: '\ud800', digest: 'd' } }, 'WIRE_TEXT'],
    ['a field of 65,536', { ...INITIATE, body: { url: 'u'.repeat(65_536), digest: '' } }, 'WIRE_TOO_LONG'],
    [
      'a field of 65,536 in UTF-8',
      { ...INITIATE, body: { url: 'ü'.repeat(32_768), digest: '' } },
      'WIRE_TOO_LONG',
    ],
    ['a token of 65,536', { ...ACTION, token: 'A'.repeat(87_382) }, 'WIRE_TOO_LONG'],
    ['a message of 65,536', { ...DATA, body: { dataId: '', data: 'A'.repeat(87_376) } }, 'WIRE_TOO_LONG'],
  ])('refuses %s by its own code', (_what, form, expected) => {
    expect(code(form)).toBe(expected);
  });

  it('leaves room for the NUL of a longest text', () => {
    const longest = { ...INITIATE, body: { url: 'u'.repeat(65_535), digest: '' } };
    expect(fromJsonForm(longest, WIDE).ok).toBe(true);
    expect(fromJsonForm({ ...longest, terminatedText: ['url'] }, WIDE)).toMatchObject({
      code: 'WIRE_TOO_LONG',
    });
  });

  it('answers every JSON value, and what it takes it writes the same', () => {
    const anything = fc.oneof(
      fc.jsonValue(),
      fc.record({
        srup: fc.constant(5),
        type: fc.constantFrom(...LAYOUTS.map(({ type }) => type)),
        sequence: fc.oneof(fc.string(), fc.bigInt({ min: 0n, max: 1n << 65n }).map(String)),
        sender: fc.oneof(fc.string(), fc.constantFrom('0', 'a', 'ff')),
        token: fc.oneof(fc.string(), fc.base64String(), fc.constant('VE9LRU4')),
        signature: fc.constantFrom('', 'AQID'),
        body: fc.oneof(
          fc.record({ actionId: fc.integer() }),
          fc.record({ url: fc.string({ unit: 'binary' }), digest: fc.string() }),
          fc.jsonValue(),
          fc.constant({}),
        ),
      }),
    );
    fc.assert(
      fc.property(anything, (value) => {
        const result = fromJsonForm(value);
        if (result.ok) expect(toJsonForm(result.value)).toEqual(value);
      }),
      { seed: 5, numRuns: 5000 },
    );
  });
});
