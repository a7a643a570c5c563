import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../wire/encoding.ts';
import { fromHexGroups, fromMachineCode, toHexGroups, toMachineCode } from './hex.ts';
import type { Reading } from './nonce.ts';
import {
  fromColourPictogram,
  fromMonoPictogram,
  toColourPictogram,
  toMonoPictogram,
  type ColourCell,
  type Grid,
  type MonoCell,
} from './pictogram.ts';
import { ENGLISH_WORDS } from './words-english.ts';
import { fromWords, toWords } from './words.ts';

interface Case {
  readonly nonce: string;
  readonly rows: readonly string[];
}

const { extras } = JSON.parse(
  readFileSync(new URL('../../../../vectors/srup-v5.json', import.meta.url), 'utf8'),
) as { extras: Record<'pictogramColour' | 'pictogramMono', { cases: Case[] }> };

const NONCES = extras.pictogramColour.cases.map(({ nonce }) => nonce);

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) as Uint8Array;
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

function hexOf(reading: Reading): string | undefined {
  return reading.ok ? toHex(reading.nonce) : undefined;
}

describe('hex (P 12.4)', () => {
  it('shows groups of four', () => {
    expect(toHexGroups(bytesOf('0123456789abcdef0123456789abcdef'))).toBe(
      '0123 4567 89ab cdef 0123 4567 89ab cdef',
    );
  });

  it.each(NONCES)('is read back: %s', (nonce) => {
    expect(hexOf(fromHexGroups(toHexGroups(bytesOf(nonce))))).toBe(nonce);
  });

  it.each([
    ['upper case without spaces', '636DD7AD8C004D09B2C391D0CC3AA2B0'],
    ['spaces and line ends', ' 636dd7ad 8c004d09\n\tb2c391d0 cc3aa2b0 '],
    ['hyphens', '636dd7ad-8c00-4d09-b2c3-91d0cc3aa2b0'],
    ['colons', '63:6d:d7:ad:8c:00:4d:09:b2:c3:91:d0:cc:3a:a2:b0'],
  ])('is read from %s', (_form, text) => {
    expect(hexOf(fromHexGroups(text))).toBe('636dd7ad8c004d09b2c391d0cc3aa2b0');
  });

  it('says which character is no digit', () => {
    expect(fromHexGroups('636d d7ag')).toEqual({ ok: false, reason: 'character', at: 7 });
  });

  it.each(['', '636d', '636dd7ad8c004d09b2c391d0cc3aa2b000'])('refuses another length: "%s"', (text) => {
    expect(fromHexGroups(text)).toEqual({ ok: false, reason: 'length' });
  });

  it('is made for 16 bytes only', () => {
    expect(() => toHexGroups(new Uint8Array(15))).toThrow(RangeError);
    expect(() => toMachineCode(new Uint8Array(17))).toThrow(RangeError);
    expect(() => toWords(new Uint8Array(0), sha256)).toThrow(RangeError);
    expect(() => toColourPictogram(new Uint8Array(32))).toThrow(RangeError);
  });
});

describe('machine codes (P 12.5)', () => {
  it('carry 32 upper-case hex digits', () => {
    expect(toMachineCode(bytesOf('0123456789abcdef0123456789abcdef'))).toBe(
      '0123456789ABCDEF0123456789ABCDEF',
    );
  });

  it.each(NONCES)('are read back: %s', (nonce) => {
    expect(hexOf(fromMachineCode(`${toMachineCode(bytesOf(nonce))}\r\n`))).toBe(nonce);
  });

  it('are read strictly: nobody types them', () => {
    expect(fromMachineCode('0123456789abcdef0123456789abcdef')).toEqual({
      ok: false,
      reason: 'character',
      at: 10,
    });
    expect(fromMachineCode('0123')).toEqual({ ok: false, reason: 'length' });
  });
});

describe('words (P 12.3)', () => {
  it('come from the published list, unchanged', () => {
    const published = '2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda';
    expect(
      createHash('sha256')
        .update(`${ENGLISH_WORDS.join('\n')}\n`)
        .digest('hex'),
    ).toBe(published);
    expect(new Set(ENGLISH_WORDS).size).toBe(2048);
  });

  // Published test values of BIP-39 for 128 bits.
  it.each([
    [
      '00000000000000000000000000000000',
      'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about',
    ],
    [
      '7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f',
      'legal winner thank year wave sausage worth useful legal winner thank yellow',
    ],
    [
      '80808080808080808080808080808080',
      'letter advice cage absurd amount doctor acoustic avoid letter advice cage above',
    ],
    ['ffffffffffffffffffffffffffffffff', 'zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong'],
  ])('of %s are the published ones, upper-case', (nonce, words) => {
    expect(toWords(bytesOf(nonce), sha256)).toEqual(words.toUpperCase().split(' '));
    expect(hexOf(fromWords(words, sha256))).toBe(nonce);
  });

  it.each(NONCES)('are read back: %s', (nonce) => {
    expect(hexOf(fromWords(toWords(bytesOf(nonce), sha256).join(' '), sha256))).toBe(nonce);
  });

  it('are read in either case, with commas, hyphens and line ends between them', () => {
    const typed = ' Zoo, zoo,zoo zoo-zoo ZOO\nzoo zoo  zoo zoo zoo\twrong ';
    expect(hexOf(fromWords(typed, sha256))).toBe('ffffffffffffffffffffffffffffffff');
  });

  it('say which word is unknown', () => {
    expect(fromWords('zoo zoo zooo zoo', sha256)).toEqual({ ok: false, reason: 'word', at: 2 });
  });

  it('must be twelve', () => {
    expect(fromWords('zoo zoo', sha256)).toEqual({ ok: false, reason: 'length' });
    expect(fromWords('', sha256)).toEqual({ ok: false, reason: 'length' });
  });

  it('must belong together', () => {
    expect(fromWords('zoo '.repeat(12), sha256)).toEqual({ ok: false, reason: 'checksum' });
  });
});

const COLOURS: Readonly<Record<string, ColourCell>> = { W: 'white', R: 'red', Y: 'yellow', B: 'blue' };

describe('colour pictogram (P 12.1)', () => {
  it.each(extras.pictogramColour.cases)('of $nonce has the cells of the reference', ({ nonce, rows }) => {
    const grid = rows.map((row) => Array.from(row, (letter) => COLOURS[letter] as ColourCell));
    expect(toColourPictogram(bytesOf(nonce))).toEqual(grid);
    expect(hexOf(fromColourPictogram(grid))).toBe(nonce);
  });

  it('is refused in another shape or colour', () => {
    const grid = toColourPictogram(bytesOf(NONCES[0]!));
    expect(fromColourPictogram(grid.slice(1))).toEqual({ ok: false, reason: 'length' });
    expect(fromColourPictogram(grid.map((row) => row.slice(1)))).toEqual({ ok: false, reason: 'length' });
    const green = grid.map((row, at) => (at === 1 ? ['green', ...row.slice(1)] : row)) as Grid<ColourCell>;
    expect(fromColourPictogram(green)).toEqual({ ok: false, reason: 'cell', at: 8 });
  });
});

function drawMono(grid: Grid<MonoCell>): string[] {
  return grid.map((row) => row.map((cell) => (cell === 'black' ? '#' : '.')).join(''));
}

describe('monochrome pictogram (P 12.2)', () => {
  const [padded, unpadded] = [true, false].map((full) =>
    extras.pictogramMono.cases.filter(({ nonce }) => /^[89a-f]/.test(nonce) === full),
  ) as [Case[], Case[]];

  it.each(padded)('of $nonce has the cells of the reference', ({ nonce, rows }) => {
    expect(drawMono(toMonoPictogram(bytesOf(nonce)))).toEqual(rows);
  });

  it.each(unpadded.filter(({ nonce }) => !/^0+$/.test(nonce)))(
    'of $nonce differs from the reference on purpose: it loses the leading zero bits',
    ({ nonce, rows }) => {
      expect(drawMono(toMonoPictogram(bytesOf(nonce)))).not.toEqual(rows);
    },
  );

  it('puts the last bit before the last corner cell, and leading zeros in white', () => {
    const rows = drawMono(toMonoPictogram(bytesOf('00000000000000000000000000000001')));
    expect(rows).toEqual([
      '##........##',
      '##........##',
      ...Array<string>(8).fill('............'),
      '##........##',
      '##.......###',
    ]);
  });

  it.each(extras.pictogramMono.cases)('of $nonce is read back', ({ nonce }) => {
    expect(hexOf(fromMonoPictogram(toMonoPictogram(bytesOf(nonce))))).toBe(nonce);
  });

  it('shows every bit: no two neighbours look alike', () => {
    const seen = new Set<string>();
    for (let bit = 0; bit < 128; bit++) {
      const nonce = bytesOf((1n << BigInt(bit)).toString(16).padStart(32, '0'));
      seen.add(drawMono(toMonoPictogram(nonce)).join());
    }
    expect(seen.size).toBe(128);
  });

  it('is refused in another shape, with a white corner or a grey cell', () => {
    const grid = toMonoPictogram(bytesOf(NONCES[0]!));
    const withCell = (row: number, column: number, cell: string): Grid<MonoCell> =>
      grid.map((cells, y) => cells.map((old, x) => (y === row && x === column ? (cell as MonoCell) : old)));
    expect(fromMonoPictogram(grid.slice(1))).toEqual({ ok: false, reason: 'length' });
    expect(fromMonoPictogram(withCell(11, 0, 'white'))).toEqual({ ok: false, reason: 'cell', at: 132 });
    expect(fromMonoPictogram(withCell(5, 5, 'grey'))).toEqual({ ok: false, reason: 'cell', at: 65 });
  });
});
