import { expect, test } from 'vitest';
import { readBootId } from './boot-id.ts';

test('the boot id of this system', async () => {
  expect(await readBootId()).toMatch(/^[0-9a-f-]{36}$/);
});
