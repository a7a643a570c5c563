import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytes as anyBytes, messages, messagesOf } from '../../test/arbitrary.ts';
import { MAX_MESSAGE_BYTES, MAX_VAR_BYTES } from '../limits.ts';
import { fromHex, toHex } from '../wire/encoding.ts';
import { encodeText } from '../wire/text.ts';
import { decode, encode, encodeHeader, type DecodeLimits, type Decoded } from './envelope.ts';
import { LAYOUTS, layoutOf } from './layouts.ts';
import type { Message, MessageOf } from './message.ts';

const ACTION: MessageOf<'ACTION'> = {
  type: 'ACTION',
  sequence: 0x0102030405060708n,
  sender: 0x1112131415161718n,
  token: encodeText('TOK'),
  body: { actionId: 0xab },
};
const SIGNATURE = Uint8Array.of(0xaa, 0xbb);
/** ACTION in the parts of P 2. */
const PARTS = ['05', '04', '0807060504030201', '1817161514131211', '0003', '544f4b', '0002', 'aabb', 'ab'];

function bytesOf(...parts: readonly string[]): Uint8Array {
  return fromHex(parts.join(''))!;
}

function codeOf(bytes: Uint8Array, limits?: DecodeLimits): string {
  const result = decode(bytes, limits);
  return result.ok ? 'accepted' : `${result.code} at ${result.offset}`;
}

function decoded(bytes: Uint8Array): Decoded {
  const result = decode(bytes);
  if (!result.ok) throw new Error(result.code);
  return result.value;
}

test('the layout of P 2, byte by byte', () => {
  expect(toHex(encode(ACTION).assemble(SIGNATURE))).toBe(PARTS.join(''));
  const value = decoded(bytesOf(...PARTS));
  expect(value.message).toEqual(ACTION);
  expect(value.signature).toEqual(SIGNATURE);
});

test('the signed bytes are the message without the signature and its length (P 2.3)', () => {
  const signed = PARTS.filter((_, at) => at !== 6 && at !== 7).join('');
  expect(toHex(decoded(bytesOf(...PARTS)).signedBytes())).toBe(signed);
  expect(toHex(encode(ACTION).signedBytes)).toBe(signed);
});

test('the header is bytes 0..20+T, on both ends (P 4.4)', () => {
  const header = PARTS.slice(0, 6).join('');
  expect(toHex(decoded(bytesOf(...PARTS)).header)).toBe(header);
  expect(toHex(encode(ACTION).header)).toBe(header);
  expect(toHex(encodeHeader(ACTION))).toBe(header);
});

describe.each(LAYOUTS)('$type', (layout) => {
  test('comes back from its bytes, and its bytes from it', () => {
    fc.assert(
      fc.property(messagesOf(layout), anyBytes(600), (message, signature) => {
        const { assemble, signedBytes } = encode(message);
        const bytes = assemble(signature);
        const value = decoded(bytes);
        expect(value.message).toEqual(message);
        expect(value.signature).toEqual(layout.type === 'GENERIC' ? new Uint8Array(0) : signature);
        expect(toHex(value.signedBytes())).toBe(toHex(signedBytes));
        expect(toHex(encode(value.message).assemble(value.signature))).toBe(toHex(bytes));
      }),
      { numRuns: 60 },
    );
  });

  test('is refused at every length but its own (P 2.4)', () => {
    fc.assert(
      fc.property(messagesOf(layout), anyBytes(8, 1), (message, extra) => {
        const bytes = encode(message).assemble(SIGNATURE);
        for (let length = 0; length < bytes.length; length++) {
          expect(codeOf(bytes.subarray(0, length))).toMatch(/^WIRE_(SHORT|TOKEN_EMPTY)/);
        }
        expect(codeOf(Uint8Array.from([...bytes, ...extra]))).toBe(`WIRE_TRAILING at ${bytes.length}`);
      }),
      { numRuns: 10 },
    );
  });
});

test('any change of any byte is refused or changes what the signature covers or is', () => {
  fc.assert(
    fc.property(messages, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, at, change) => {
      const bytes = encode(message).assemble(SIGNATURE);
      const other = bytes.slice();
      const where = at % bytes.length;
      other[where] = bytes[where]! ^ change;
      const before = decoded(bytes);
      const after = decode(other);
      if (!after.ok) return;
      const sameProof = toHex(after.value.signature) === toHex(before.signature);
      const sameSigned = toHex(after.value.signedBytes()) === toHex(before.signedBytes());
      expect(sameProof && sameSigned).toBe(false);
    }),
    { numRuns: 3000 },
  );
});

describe('refuses (P 2.4)', () => {
  const [version, type, sequence, sender, tokenLength, token, ...rest] = PARTS as [
    string,
    string,
    string,
    string,
    string,
    string,
    ...string[],
  ];

  test.each([
    ['nothing', [], 'WIRE_SHORT at 0'],
    ['edition 2016', ['01', type, sequence, sender, tokenLength, token, ...rest], 'WIRE_EDITION at 0'],
    ['edition 4', ['04', type, sequence, sender, tokenLength, token, ...rest], 'WIRE_EDITION at 0'],
    ['edition 6', ['06', type, sequence, sender, tokenLength, token, ...rest], 'WIRE_EDITION at 0'],
    ['a type that is none', [version, '15', sequence, sender, tokenLength, token, ...rest], 'WIRE_TYPE at 1'],
    ['type ff', [version, 'ff', sequence, sender, tokenLength, token, ...rest], 'WIRE_TYPE at 1'],
    ['an empty token', [version, type, sequence, sender, '0000', ...rest], 'WIRE_TOKEN_EMPTY at 18'],
    [
      'a token longer than the message',
      [version, type, sequence, sender, 'ffff', token, ...rest],
      'WIRE_SHORT at 28',
    ],
    [
      'a signature longer than the message',
      [version, type, sequence, sender, tokenLength, token, 'ffff', 'aabb', 'ab'],
      'WIRE_SHORT at 28',
    ],
    ['the edition before the type', ['04', 'ff'], 'WIRE_EDITION at 0'],
    ['the type before the length', [version, 'ff'], 'WIRE_TYPE at 1'],
  ])('%s', (_what, parts, code) => {
    expect(codeOf(bytesOf(...parts))).toBe(code);
  });

  test('a token over 255 bytes, by default (P 6.1)', () => {
    const long = encode({ ...ACTION, token: new Uint8Array(256).fill(0x41) }).assemble(SIGNATURE);
    expect(codeOf(long)).toBe('WIRE_TOKEN_LONG at 18');
    expect(codeOf(long, { tokenBytes: 256 })).toBe('accepted');
    const longest = encode({ ...ACTION, token: new Uint8Array(255).fill(0x41) }).assemble(SIGNATURE);
    expect(codeOf(longest)).toBe('accepted');
  });

  test('a message over the limit of its transport, before anything else is looked at', () => {
    const data = (length: number) =>
      encode({
        ...ACTION,
        type: 'DATA',
        body: { dataId: '', data: new Uint8Array(length) },
      }).assemble(SIGNATURE);
    const overhead = data(0).length;
    expect(codeOf(data(MAX_MESSAGE_BYTES - overhead))).toBe('accepted');
    expect(codeOf(data(MAX_MESSAGE_BYTES - overhead + 1))).toBe('WIRE_TOO_LONG at 65535');
    expect(codeOf(new Uint8Array(MAX_MESSAGE_BYTES + 1))).toBe('WIRE_TOO_LONG at 65535');
    expect(codeOf(new Uint8Array(11), { messageBytes: 10 })).toBe('WIRE_TOO_LONG at 10');
  });

  test('reserved bytes that are not zero', () => {
    const message = {
      ...ACTION,
      type: 'SYNDICATED_C2_REQ',
      body: { data: SIGNATURE, requestId: 7 },
    } as Message;
    const bytes = encode(message).assemble(SIGNATURE);
    expect(codeOf(bytes)).toBe('accepted');
    for (const back of [1, 2]) {
      const other = bytes.slice();
      other[bytes.length - back] = 1;
      expect(codeOf(other)).toBe(`WIRE_RESERVED at ${bytes.length - back}`);
    }
  });
});

test('refuses every byte string that is not a message with a code, and mirrors every other (P 2.4)', () => {
  const start = fc.constantFrom(...LAYOUTS.map(({ code }) => code)).map((code) => [5, code]);
  const nearly = fc.tuple(start, anyBytes(60)).map(([head, tail]) => Uint8Array.from([...head, ...tail]));
  fc.assert(
    fc.property(fc.oneof(anyBytes(60), nearly), (bytes) => {
      const result = decode(bytes);
      if (!result.ok) expect([result.stage, result.code]).toEqual(['wire', expect.stringMatching(/^WIRE_/)]);
      else expect(toHex(encode(result.value.message).assemble(result.value.signature))).toBe(toHex(bytes));
    }),
    { numRuns: 5000 },
  );
});

describe('texts', () => {
  const INITIATE: MessageOf<'INITIATE'> = {
    ...ACTION,
    type: 'INITIATE',
    body: { url: 'https://x.example/ü', digest: 'ab' },
  };

  test.each([[['url', 'digest']], [['url']], [['digest']]])(
    "pySRUP's NUL after %j is on the wire and under the signature, not in the value (P 2.5)",
    (terminated) => {
      const { signedBytes, assemble } = encode({ ...INITIATE, terminated });
      expect(signedBytes).toHaveLength(encode(INITIATE).signedBytes.length + terminated.length);
      expect(decoded(assemble(SIGNATURE)).message).toEqual({ ...INITIATE, terminated });
    },
  );

  test('a NUL inside a text is refused on the way in, and a mistake on the way out', () => {
    const bytes = encode(INITIATE).assemble(SIGNATURE);
    bytes[bytes.length - 1] = 0; // ends the digest, as pySRUP does
    expect(codeOf(bytes)).toBe('accepted');
    bytes[bytes.length - 2] = 0; // two of them
    expect(codeOf(bytes)).toMatch(/^WIRE_NUL/);
    const withNul = { ...INITIATE, body: { url: 'a\0', digest: '' } };
    expect(() => encode(withNul)).toThrow(RangeError);
  });

  test('what is not UTF-8 is refused', () => {
    const bytes = encode(INITIATE).assemble(SIGNATURE);
    bytes[bytes.length - 1] = 0xff;
    expect(codeOf(bytes)).toMatch(/^WIRE_TEXT/);
  });
});

test('values that no field carries are mistakes of the program', () => {
  const wrong = [
    { ...ACTION, body: { actionId: 256 } },
    { ...ACTION, body: { actionId: -1 } },
    { ...ACTION, sequence: 1n << 64n },
    { ...ACTION, sender: -1n },
    { ...ACTION, token: new Uint8Array(0) },
    { ...ACTION, token: new Uint8Array(MAX_VAR_BYTES + 1) },
  ];
  for (const message of wrong) expect(() => encode(message)).toThrow(RangeError);
  expect(() => encode(ACTION).assemble(new Uint8Array(MAX_VAR_BYTES + 1))).toThrow(RangeError);
});

test('two results never share memory that either of them changes', () => {
  const first = decoded(bytesOf(...PARTS)).signedBytes();
  const second = decoded(bytesOf(...PARTS)).signedBytes();
  first.fill(0);
  expect(toHex(second)).toBe(toHex(encode(ACTION).signedBytes));
});

test('long signed bytes are cut as short ones are', () => {
  const body = { dataId: 'long', data: new Uint8Array(20_000).map((_, at) => at & 0xff) };
  const message: Message = { ...ACTION, type: 'DATA', body };
  const { signedBytes, assemble } = encode(message);
  expect(toHex(decoded(assemble(new Uint8Array(300))).signedBytes())).toBe(toHex(signedBytes));
  expect(layoutOf('DATA').fields).toHaveLength(2);
});
