import { describe, expect, it } from 'vitest';
import { parseAction } from '../ctl/order/action.ts';
import { parseValue } from '../ctl/order/data.ts';
import { parseDuration } from './parse.ts';
import { printable, printableJson } from './printable.ts';
import { asTyped } from './program-name.ts';
import { byteCount, relativeTime } from './words.ts';

/** Everything that steers a terminal or hides itself. */
const STEERING = '\u0000\u0007\u001b[2J\u007f\u009b31m\u202e\u2066\u200b\u2028\ufeff\r\n\t';

describe('texts from elsewhere', () => {
  it('can not steer a terminal', () => {
    expect(printable(`a${STEERING}b`)).toMatch(/^a[ -~]+b$/);
    expect(printable('grün 🌱 日本')).toBe('grün 🌱 日本');
  });

  it('mean the same in JSON', () => {
    const value = { [STEERING]: [STEERING, '\ud800', '\u{e0001}'] };
    const text = printableJson(value);
    expect(text).toMatch(/^[ -~]+$/);
    expect(JSON.parse(text)).toEqual(value);
  });
});

describe('what is shown', () => {
  it.each([
    [0, '0 s ago'],
    [59_999, '59 s ago'],
    [60_000, '1 min ago'],
    [3_600_000, '1 h ago'],
    [47 * 3_600_000, '47 h ago'],
    [48 * 3_600_000, '2 d ago'],
    [-90_000, 'in 1 min'],
  ])('%d ms as "%s"', (ms, text) => {
    expect(relativeTime(1_000_000_000 - ms, 1_000_000_000)).toBe(text);
  });

  it.each([
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [5 * 2 ** 30, '5.0 GiB'],
    [5 * 2 ** 40, '5120.0 GiB'],
  ])('%d bytes as "%s"', (bytes, text) => {
    expect(byteCount(bytes)).toBe(text);
  });

  it('names commands as one would type them here', () => {
    expect(asTyped('Next: srup ctl devices', {})).toBe('Next: srup ctl devices');
    expect(asTyped('Next: srup ctl devices', { npm_lifecycle_event: 'npx' })).toBe(
      'Next: npx srup ctl devices',
    );
    expect(asTyped('npx srup ctl devices', { npm_lifecycle_event: 'start' })).toBe('npx srup ctl devices');
  });
});

describe('what is typed', () => {
  it.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['12h', 43_200_000],
    ['30d', 2_592_000_000],
  ])('the time %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '0s', '5', 's', '-5s', '1.5h', '5 m', '1w', '9999999d'])('no time: "%s"', (text) => {
    expect(() => parseDuration(text)).toThrow('is not a length of time');
  });

  it.each([
    ['reboot', 4],
    ['wake', 2],
    ['00', 0],
    ['0xfF', 255],
  ])('the action %s', (text, id) => {
    expect(parseAction(text)).toBe(id);
  });

  it.each(['', '5', '100', 'constructor', '0x', 'g0'])('no action: "%s"', (text) => {
    expect(() => parseAction(text)).toThrow('is not an action');
  });

  it.each([
    ['', 'int32'],
    ['1.5', 'int32'],
    ['2147483648', 'int32'],
    ['', 'double'],
    ['Infinity', 'double'],
    ['0x', 'hex'],
    ['abc', 'hex'],
    ['1', 'int64'],
  ])('no value: "%s" as %s', (text, form) => {
    expect(() => parseValue(text, form)).toThrow();
  });
});
