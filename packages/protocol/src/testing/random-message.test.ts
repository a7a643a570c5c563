import { describe, expect, it } from 'vitest';
import { decode, encode } from '../message/envelope.ts';
import { LAYOUTS } from '../message/layouts.ts';
import { seededRandom } from './random.ts';
import { mutate, randomMessage, randomMessageBytes } from './random-message.ts';

describe('random messages', () => {
  it.each(LAYOUTS)('of type $type come back from their bytes unchanged', ({ type }) => {
    const random = seededRandom(1);
    for (let round = 0; round < 100; round++) {
      const message = randomMessage(random, type);
      const result = decode(encode(message).assemble(random.bytes(64)));
      expect(result).toMatchObject({ ok: true });
      if (result.ok) expect(result.value.message).toEqual(message);
    }
  });

  it('are of every type when none is asked for', () => {
    const random = seededRandom(2);
    const types = new Set(Array.from({ length: 1000 }, () => randomMessage(random).type));
    expect(types.size).toBe(LAYOUTS.length);
  });

  it('are the same for the same seed', () => {
    expect(randomMessageBytes(seededRandom(3))).toEqual(randomMessageBytes(seededRandom(3)));
    expect(randomMessageBytes(seededRandom(3))).not.toEqual(randomMessageBytes(seededRandom(4)));
  });
});

describe('damage', () => {
  it('leaves the original alone and reaches both sides of the decoder', () => {
    const random = seededRandom(5);
    const verdicts = new Set<string>();
    for (let round = 0; round < 3000; round++) {
      const bytes = randomMessageBytes(random);
      const before = bytes.slice();
      const result = decode(mutate(bytes, random));
      expect(bytes).toEqual(before);
      verdicts.add(result.ok ? 'ok' : result.code);
    }
    expect([...verdicts]).toEqual(
      expect.arrayContaining(['ok', 'WIRE_SHORT', 'WIRE_TRAILING', 'WIRE_TYPE', 'WIRE_EDITION', 'WIRE_TEXT']),
    );
  });

  it('takes even no bytes at all', () => {
    const random = seededRandom(6);
    for (let round = 0; round < 200; round++)
      expect(mutate(new Uint8Array(0), random).length).toBeLessThan(10);
  });
});
