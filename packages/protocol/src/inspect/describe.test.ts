import { readFileSync } from 'node:fs';
import { describe as suite, expect, it } from 'vitest';
import { fromHex } from '../wire/encoding.ts';
import { encodeText } from '../wire/text.ts';
import { createToken } from '../token.ts';
import { describe, type Description } from './describe.ts';
import { encode2016 } from './edition2016.ts';
import { decode, encode, type DecodeLimits } from '../message/envelope.ts';
import type { Message } from '../message/message.ts';
import { mutate, randomMessageBytes } from '../testing/random-message.ts';
import { seededRandom } from '../testing/random.ts';

const WIDE: DecodeLimits = { messageBytes: 1 << 20, tokenBytes: 65_535 };

const vectors = (
  JSON.parse(readFileSync(new URL('../../../../vectors/srup-v5.json', import.meta.url), 'utf8')) as {
    vectors: { id: string; type: string; hex: string }[];
  }
).vectors;

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) as Uint8Array;
}

/** The segments lie side by side, from the first byte to the last. */
function expectCovered({ segments }: Description, bytes: Uint8Array): void {
  let at = 0;
  for (const { offset, length } of segments) {
    expect(offset).toBe(at);
    at += length;
  }
  expect(at).toBe(bytes.length);
}

function signed(message: Message, signature = new Uint8Array(64)): Uint8Array {
  return encode(message).assemble(signature);
}

/** The meaning of one field of a message. */
function meaning(bytes: Uint8Array, name: string): string | undefined {
  return describe(bytes, WIDE).segments.find((segment) => segment.name === name)?.meaning;
}

const HEAD = { sequence: 7n, sender: 0xb9d077e223834cf6n, token: encodeText('T') };

suite('a description of a good message', () => {
  it.each(vectors)('covers every byte of $id', ({ type, hex }) => {
    const bytes = bytesOf(hex);
    const description = describe(bytes, WIDE);
    expect(description).toMatchObject({ edition: 5, type });
    expect(description.fault).toBeUndefined();
    expectCovered(description, bytes);
  });

  it('names the parts in the order of the wire', () => {
    const message: Message = { ...HEAD, type: 'DATA', body: { dataId: 'temp', data: encodeText('21') } };
    expect(describe(signed(message)).segments).toEqual([
      { name: 'version', offset: 0, length: 1, part: 'header', meaning: 'edition 5' },
      {
        name: 'type',
        offset: 1,
        length: 1,
        part: 'header',
        meaning: 'DATA: server to device, device to server (P 10.6)',
      },
      { name: 'sequence', offset: 2, length: 8, part: 'header', meaning: '7' },
      { name: 'sender', offset: 10, length: 8, part: 'header', meaning: 'b9d077e223834cf6' },
      { name: 'token length', offset: 18, length: 2, part: 'token', meaning: '1 byte' },
      { name: 'token', offset: 20, length: 1, part: 'token', meaning: '"T"' },
      { name: 'signature length', offset: 21, length: 2, part: 'signature', meaning: '64 bytes' },
      { name: 'signature', offset: 23, length: 64, part: 'signature', meaning: '64 bytes, as in ed25519' },
      { name: 'dataId length', offset: 87, length: 2, part: 'body', meaning: '4 bytes' },
      { name: 'dataId', offset: 89, length: 4, part: 'body', meaning: '"temp"' },
      { name: 'data length', offset: 93, length: 2, part: 'body', meaning: '2 bytes' },
      { name: 'data', offset: 95, length: 2, part: 'body', meaning: '"21"' },
    ]);
  });

  it('says what a status means', () => {
    const response = (status: number): Uint8Array => signed({ ...HEAD, type: 'RESPONSE', body: { status } });
    expect(meaning(response(0xfd), 'status')).toBe('0xfd UPDATE_FAIL_SERVER: the file server did not answer');
    expect(meaning(response(0x77), 'status')).toBe('0x77: no known status');
  });

  it('says when a UUIDv7 token was made', () => {
    const token = createToken(Date.UTC(2026, 0, 2, 3, 4, 5, 6), new Uint8Array(10));
    const bytes = signed({ ...HEAD, token, type: 'ACTIVATE', body: {} });
    expect(meaning(bytes, 'token')).toBe(
      '"019b7ca9-8c8e-7000-8000-000000000000", made 2026-01-02T03:04:05.006Z',
    );
  });

  it('shows a token of bytes as hex', () => {
    const bytes = signed({ ...HEAD, token: bytesOf('00ff'), type: 'ACTIVATE', body: {} });
    expect(meaning(bytes, 'token')).toBe('00ff');
  });

  it('reads DATA as text, int32, double or raw bytes (P 10.6)', () => {
    const data = (hex: string): string | undefined =>
      meaning(signed({ ...HEAD, type: 'DATA', body: { dataId: 'x', data: bytesOf(hex) } }), 'data');
    expect(data('')).toBe('empty');
    expect(data('48692e21')).toBe('"Hi.!"');
    expect(data('feffffff')).toBe('feffffff, as int32 -2');
    expect(data('000000000000f83f')).toBe('000000000000f83f, as double 1.5');
    expect(data('00ff00')).toBe('00ff00');
    expect(data('c2854142')).toBe('c2854142, as int32 1111590338');
    expect(data('610962')).toBe('"a\\u{9}b"');
  });

  it('names a NUL of pySRUP, ids, counts and sealed fields', () => {
    const url = 'https://a.example';
    const initiate: Message = {
      ...HEAD,
      type: 'INITIATE',
      body: { url, digest: '' },
      terminated: ['url'],
    };
    expect(meaning(signed(initiate), 'url')).toBe('"https://a.example" and one NUL');
    expect(meaning(signed(initiate), 'digest')).toBe('""');
    const list: Message = { ...HEAD, type: 'SYNDICATED_DEV_LIST', body: { index: 3, deviceId: 0n } };
    expect(meaning(signed(list), 'index')).toBe('3');
    expect(meaning(signed(list), 'deviceId')).toBe('0: no identity');
    const sealed = (length: number): Uint8Array =>
      signed({ ...HEAD, type: 'HM_JOIN_RESP', body: { sealedNonce: new Uint8Array(length) } });
    expect(meaning(sealed(332), 'sealedNonce')).toBe('332 bytes that only the recipient can open');
    expect(meaning(sealed(0), 'sealedNonce')).toBe('nothing sealed');
    const action: Message = {
      ...HEAD,
      type: 'SYNDICATED_C2_REQ',
      body: { data: bytesOf(''), requestId: 9 },
    };
    expect(meaning(signed(action), 'requestId')).toBe('9');
    expect(meaning(signed(action), 'reserved')).toBe('reserved: always zero');
  });

  it('says which suites have a signature of this length', () => {
    const withSignature = (length: number): string | undefined =>
      meaning(signed({ ...HEAD, type: 'ACTIVATE', body: {} }, new Uint8Array(length)), 'signature');
    expect(withSignature(256)).toBe('256 bytes, as in rsa-sha256');
    expect(withSignature(3309)).toBe('3309 bytes, as in ml-dsa-65');
    expect(withSignature(0)).toBe('0 bytes: no suite has such a signature');
  });

  it('never lets a text steer the terminal that shows it', () => {
    const hostile = '\u001b]0;owned\u0007\u009b31m\u202e"\\\u2028';
    const data: Message = { ...HEAD, type: 'DATA', body: { dataId: hostile, data: encodeText(hostile) } };
    expect(meaning(signed(data), 'dataId')).toBe(
      '"\\u{1b}]0;owned\\u{7}\\u{9b}31m\\u{202e}\\"\\\\\\u{2028}"',
    );
    expect(meaning(signed(data), 'data')).toMatch(/^[0-9a-f]+$/);
  });

  it('cuts a long value short', () => {
    const data: Message = {
      ...HEAD,
      type: 'DATA',
      body: { dataId: '😀'.repeat(1000), data: new Uint8Array(1000) },
    };
    expect(meaning(signed(data), 'dataId')).toBe(`"${'😀'.repeat(64)}" and more`);
    expect(meaning(signed(data), 'data')).toBe(`${'00'.repeat(64)} and more`);
  });

  it('knows edition 2016', () => {
    const bytes = encode2016({
      type: 'RESPONSE',
      signature: encodeText('SIG'),
      body: { token: encodeText('TOKEN'), status: 0xff },
    });
    const description = describe(bytes);
    expectCovered(description, bytes);
    expect(description).toMatchObject({ edition: 2016, type: 'RESPONSE' });
    expect(description.segments.map(({ name, meaning }) => [name, meaning])).toEqual([
      ['version', 'edition 2016'],
      ['type', 'RESPONSE, P 1.2'],
      ['signature length', '3 bytes'],
      ['signature', '3 bytes'],
      ['token length', '5 bytes'],
      ['token', '"TOKEN"'],
      ['status', '0xff UPDATE_FAIL_DIGEST: the digest of the file is another one'],
    ]);
  });
});

suite('a description of a bad message', () => {
  const action = signed({ ...HEAD, type: 'ACTION', body: { actionId: 4 } });

  function expectFault(bytes: Uint8Array, code: string, known: readonly string[]): void {
    const description = describe(bytes);
    expectCovered(description, bytes);
    expect(description.fault).toMatchObject({ code });
    expect(description.segments.map(({ name }) => name)).toEqual(known);
  }

  it('stops where the message ends too early', () => {
    const known = ['version', 'type', 'sequence', 'sender', 'token length', 'token', 'signature length'];
    expectFault(action.subarray(0, 50), 'WIRE_SHORT', [...known, 'unread']);
    expect(describe(action.subarray(0, 50)).type).toBe('ACTION');
  });

  it('shows what is left over', () => {
    const bytes = Uint8Array.from([...action, 1, 2, 3]);
    const names = describe(action).segments.map(({ name }) => name);
    expectFault(bytes, 'WIRE_TRAILING', [...names, 'unread']);
    expect(describe(bytes).segments.at(-1)).toMatchObject({
      length: 3,
      meaning: 'bytes are left over after the last field',
    });
  });

  it.each([
    ['nothing', [], 'WIRE_SHORT', []],
    ['an edition that is not supported', [4, 4, 0], 'WIRE_EDITION', ['unread']],
    ['a version alone', [5], 'WIRE_SHORT', ['version']],
    ['an unknown type', [5, 0x7f, 0], 'WIRE_TYPE', ['version', 'unread']],
    ['an unknown type of 2016', [1, 4, 0], 'WIRE_TYPE', ['version', 'unread']],
  ])('is total: %s', (_what, bytes, code, known) => {
    expectFault(Uint8Array.from(bytes), code, known);
  });

  it('keeps what comes before a text that is not UTF-8', () => {
    const bytes = signed({ ...HEAD, type: 'DATA', body: { dataId: 'temp', data: encodeText('21') } });
    bytes[91] = 0xff;
    const description = describe(bytes);
    expectCovered(description, bytes);
    expect(description.fault).toMatchObject({ code: 'WIRE_TEXT' });
    expect(description.segments.map(({ name }) => name)).not.toContain('data');
  });

  it('agrees with decode on every random and damaged message', () => {
    const random = seededRandom(20_161);
    for (let round = 0; round < 3000; round++) {
      let bytes = randomMessageBytes(random);
      for (let damage = round % 4; damage > 0; damage--) bytes = mutate(bytes, random);
      const description = describe(bytes);
      expectCovered(description, bytes);
      if (bytes[0] === 1) continue; // edition 2016 has a judge of its own
      const verdict = decode(bytes);
      expect(description.fault?.code).toBe(verdict.ok ? undefined : verdict.code);
    }
  });
});
