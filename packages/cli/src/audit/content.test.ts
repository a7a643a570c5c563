import { expect, test } from 'vitest';
import { contentOf } from './content.ts';

test('whoever gave an order is shown as people read it, in entries of this release and of earlier ones', () => {
  const mia = { kind: 'token', id: '3f2a91c07be4', name: 'mia' };
  expect(contentOf({ order: 'action', by: mia })).toBe('order=action by=mia (3f2a91c0)');
  expect(contentOf({ order: 'action', by: 'mia (3f2a91c0)' })).toBe('order=action by=mia (3f2a91c0)');
});

test('a long value is cut, one with line breaks stays on one line, and other values are JSON', () => {
  expect(contentOf({ url: 'x'.repeat(81) })).toBe(`url=${'x'.repeat(80)}...`);
  expect(contentOf({ name: 'a\nb' })).toBe('name=a b');
  expect(contentOf({ open: true, keys: { ed25519: 'k' } })).toBe('open=true keys={"ed25519":"k"}');
});
