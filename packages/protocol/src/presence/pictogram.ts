/** Pictograms as cells, not pixels: a screen, a printer and a test each draw them in their own way. */
import { misread, nonceBits, nonceOfBits, type Reading } from './nonce.ts';

export type ColourCell = 'white' | 'red' | 'yellow' | 'blue';
export type MonoCell = 'white' | 'black';
/** Rows from the top, cells from the left. */
export type Grid<Cell> = readonly (readonly Cell[])[];

/** How many rows there are, and how many cells each has. */
export const COLOUR_SIZE = 8;
export const MONO_SIZE = 12;

/** The colours, by the value of a cell's two bits (P 12.1). */
const COLOURS: readonly ColourCell[] = ['white', 'red', 'yellow', 'blue'];
/** Cells along one side of a black corner. The corners frame the picture for the eye (P 12.2). */
const CORNER = 2;

/**
 * 8x8 cells of two bits each (P 12.1). RangeError for a nonce of another length.
 *
 * @example
 * for (const row of toColourPictogram(nonce)) drawRow(row); // ['white', 'blue', ...]
 */
export function toColourPictogram(nonce: Uint8Array): Grid<ColourCell> {
  const pairs = nonceBits(nonce).match(/../g) as string[];
  return toRows(
    pairs.map((pair) => COLOURS[parseInt(pair, 2)] as ColourCell),
    COLOUR_SIZE,
  );
}

/** Reads a colour pictogram back. `at` counts cells in reading order. */
export function fromColourPictogram(grid: Grid<ColourCell>): Reading {
  if (!isSquare(grid, COLOUR_SIZE)) return misread('length');
  const values = grid.flat().map((cell) => COLOURS.indexOf(cell));
  const foreign = values.indexOf(-1);
  if (foreign !== -1) return misread('cell', foreign);
  return { ok: true, nonce: nonceOfBits(values.map((value) => value.toString(2).padStart(2, '0')).join('')) };
}

/** 12x12 cells: four black corners of 2x2, and one bit in every other cell, 1 is black (P 12.2). */
export function toMonoPictogram(nonce: Uint8Array): Grid<MonoCell> {
  const bits = nonceBits(nonce)[Symbol.iterator]();
  const cells = Array.from({ length: MONO_SIZE ** 2 }, (_, at): MonoCell => {
    return isCorner(at) || bits.next().value === '1' ? 'black' : 'white';
  });
  return toRows(cells, MONO_SIZE);
}

/** Reads a monochrome pictogram back. `at` counts cells in reading order. */
export function fromMonoPictogram(grid: Grid<MonoCell>): Reading {
  if (!isSquare(grid, MONO_SIZE)) return misread('length');
  const cells = grid.flat();
  const foreign = cells.findIndex((cell, at) => (isCorner(at) ? cell !== 'black' : !isMonoCell(cell)));
  if (foreign !== -1) return misread('cell', foreign);
  const bits = cells.filter((_, at) => !isCorner(at)).map((cell) => (cell === 'black' ? '1' : '0'));
  return { ok: true, nonce: nonceOfBits(bits.join('')) };
}

function isMonoCell(cell: string): cell is MonoCell {
  return cell === 'black' || cell === 'white';
}

function isCorner(at: number): boolean {
  const isEdge = (index: number): boolean => index < CORNER || index >= MONO_SIZE - CORNER;
  return isEdge(Math.floor(at / MONO_SIZE)) && isEdge(at % MONO_SIZE);
}

function toRows<Cell>(cells: readonly Cell[], size: number): Grid<Cell> {
  return Array.from({ length: size }, (_, row) => cells.slice(row * size, (row + 1) * size));
}

function isSquare(grid: Grid<unknown>, size: number): boolean {
  return grid.length === size && grid.every((row) => row.length === size);
}
