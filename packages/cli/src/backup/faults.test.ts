import { expect, test } from 'vitest';
import { DatabaseAway, OutcomeUnknown, StoreFault } from '../../../server/src/store/fault.ts';
import { told } from './faults.ts';

test.each([
  new StoreFault('no room'),
  new DatabaseAway('the database is away: no room'),
  new OutcomeUnknown('no room'),
])('trouble of the database is told in words: %s', async (fault) => {
  const work = told(() => Promise.reject(fault));
  await expect(work).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(/^the database can't be used: .*no room$/) as string,
  });
});
