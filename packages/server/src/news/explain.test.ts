import { expect, test } from 'vitest';
import type { ServerExchange } from '@srup/protocol';
import { explain } from './explain.ts';

const done = (actionId: number): ServerExchange => ({
  ...{ kind: 'action', phase: 'done', actionId, status: 0x20, confirms: true },
  ...{ token: 't', openedAt: 0, attempts: 1 },
});

test.each([0x01, 0x04, 0x05, 0x40])('action %i that is answered "done" was done', (actionId) => {
  expect(explain(done(actionId))).toBe('The device proved that it did it.');
});

test.each([0x03, 0x09])('action %i can not be proven by who did it, and nothing says so', (actionId) => {
  expect(explain(done(actionId))).toMatch(/^The device said that it .* cannot prove it\.$/);
});

test('an action that its owner did not allow was not tried: 2F does not tell that from a failure', () => {
  const failed = explain({ ...done(0x03), phase: 'failed', status: 0x2f } as ServerExchange);
  expect(failed).toMatch(/^The device did not do it: it failed, or its owner does not allow it\./);
});
