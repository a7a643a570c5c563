import { expect, test } from 'vitest';
import { parseConfig } from './config.ts';

const LEAST = { url: 'https://fleet.example:8443', type: 'demo' };

test('what is absent has its default', () => {
  expect(parseConfig(LEAST, 'agent.json')).toMatchObject({
    suite: 'ed25519',
    rejoin: 'no',
    software: {
      installer: 'process',
      stopSeconds: 10,
      restart: { leastSeconds: 1, mostSeconds: 60 },
      keep: 2,
    },
    health: { aliveSeconds: 5, deadlineSeconds: 60 },
    fetch: { allowHttp: false, maxRedirects: 5 },
    actions: { allow: [], commands: {} },
    data: { strict: false },
  });
});

test('a reference server knows RSA only', () => {
  expect(parseConfig({ ...LEAST, referenceServer: true }, 'x').suite).toBe('rsa-sha256');
  expect(() => parseConfig({ ...LEAST, referenceServer: true, suite: 'ed25519' }, 'x')).toThrow(
    /suite: a reference server knows rsa-sha256 only/,
  );
});

test('a fingerprint is taken as people copy it', () => {
  const fingerprint = 'AB'.repeat(32);
  const colons = fingerprint.match(/../g)!.join(':');
  expect(parseConfig({ ...LEAST, caFingerprint: colons }, 'x').caFingerprint).toBe(fingerprint.toLowerCase());
});

test('every mistake is named with its place; a misspelt name is one', () => {
  const wrong = { type: 'demo', sweet: 'rsa', software: { stopSeconds: -1 }, actions: { allow: ['9'] } };
  expect(() => parseConfig(wrong, 'agent.json')).toThrow(
    expect.objectContaining({
      name: 'ConfigError',
      message: expect.stringMatching(
        /^agent.json has mistakes:[^]*url[^]*software\.stopSeconds[^]*actions\.allow\.0[^]*sweet: there is no such key/,
      ) as string,
    }) as Error,
  );
});

test.each([
  [{ ...LEAST, software: { installer: 'file' } }, 'software.target'],
  [{ ...LEAST, caFile: '/ca.pem', caFingerprint: 'ab'.repeat(32) }, 'not both'],
  [{ ...LEAST, caFile: 'ca.pem' }, 'absolute path'],
  [{ ...LEAST, suite: 'rot13' }, 'suite'],
  [{ ...LEAST, type: 'a/b' }, 'a type is'],
])('%j is refused', (config, words) => {
  expect(() => parseConfig(config, 'x')).toThrow(words);
});
