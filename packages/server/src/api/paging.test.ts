import { expect, test } from 'vitest';
import { FleetError } from './faults.ts';
import { pageQuery } from './forms/pages.ts';
import { limitOf, placeOf } from './paging.ts';

test.each([1, 100, 500])('a page can have %d rows, by its form and for a program', (limit) => {
  expect(pageQuery.parse({ limit })).toEqual({ limit });
  expect(limitOf({ limit })).toBe(limit);
});

test.each([0, -1, 1.5, 501, NaN])('a page can not have %d rows', (limit) => {
  expect(pageQuery.safeParse({ limit }).success).toBe(false);
  expect(() => limitOf({ limit })).toThrow('a page has 1 to 500 rows');
});

test('a page has 100 rows by default', () => {
  expect(limitOf({})).toBe(100);
});

test('a cursor is the number that a page gave', () => {
  expect(placeOf('1')).toBe(1);
  expect(placeOf('123456789')).toBe(123_456_789);
});

test.each(['', '0', '01', '-1', '1.5', '1e3', ' 1', 'abc', '1'.repeat(17)])(
  'no page gave the cursor "%s"',
  (cursor) => {
    expect(() => placeOf(cursor)).toThrow(FleetError);
  },
);
