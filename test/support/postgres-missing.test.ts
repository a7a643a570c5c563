/** Stands for all the tests that run again on PostgreSQL, where that is not installed. */
import { expect, test } from 'vitest';
import { isMissing } from '../../scripts/system-programs.ts';

test.skipIf(isMissing('postgres'))('the tests of the server run on PostgreSQL', () => {
  expect(isMissing('postgres')).toBe(false);
});
