import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Secret } from './secret.ts';

const TEXT = 'correct horse battery staple';

test('a secret shows itself to nobody but the one who asks for it', () => {
  const secret = new Secret(TEXT);
  const holder = { password: secret, list: [secret] };
  const shown = [
    secret.toString(),
    String(secret),
    JSON.stringify(holder),
    inspect(holder, { depth: null, showHidden: true }),
    Object.values(secret).join(),
    JSON.stringify(structuredClone(secret)),
  ];
  for (const text of shown) expect(text).not.toContain(TEXT);
  expect(JSON.stringify(holder)).toBe('{"password":"[secret]","list":["[secret]"]}');
  expect(secret.reveal()).toBe(TEXT);
});
