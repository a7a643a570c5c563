import { describe, expect, it } from 'vitest';
import { encodeText } from '../../wire/text.ts';
import { decodeDeferral, encodeDeferral, MAX_REASON_LENGTH } from './deferral.ts';

describe('DATA srup.defer', () => {
  it('comes back as it was', () => {
    expect(decodeDeferral('t', encodeDeferral('t', { reason: 'in use \u{1f6ab}' }))).toEqual({
      reason: 'in use \u{1f6ab}',
    });
    const later = { reason: '', until: 1_767_225_600_000 };
    expect(decodeDeferral('t', encodeDeferral('t', later))).toEqual(later);
  });

  it('has a reason of bounded length, cut between characters', () => {
    const reason = 'x'.repeat(MAX_REASON_LENGTH - 1) + '\u{1f6ab}';
    const cut = 'x'.repeat(MAX_REASON_LENGTH - 1) + '\ufffd';
    expect(decodeDeferral('t', encodeDeferral('t', { reason }))).toEqual({ reason: cut });
    const long = encodeText(JSON.stringify({ token: 't', reason: 'y'.repeat(9000) }));
    expect(decodeDeferral('t', long)?.reason).toHaveLength(MAX_REASON_LENGTH);
  });

  it.each([
    '',
    '{',
    'null',
    '7',
    '[]',
    '{"token":"t"}',
    '{"token":"t","reason":7}',
    '{"token":"other","reason":"x"}',
    '{"reason":"x"}',
    '{"token":"t","reason":"x","until":"soon"}',
    '{"token":"t","reason":"x","until":1.5}',
    '{"token":"t","reason":"x","until":null}',
    '{"token":"t","reason":"x","until":1e400}',
  ])('is nothing when it says %s', (text) => {
    expect(decodeDeferral('t', encodeText(text))).toBeUndefined();
  });

  it('is nothing when it is not a text', () => {
    expect(decodeDeferral('t', Uint8Array.of(0xff))).toBeUndefined();
  });
});
