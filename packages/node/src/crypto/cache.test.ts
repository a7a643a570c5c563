import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { remember } from './cache.ts';

/** A cache of two, and what it had to make. */
function watched(make: (key: string) => object = (key) => ({ key })) {
  const made: string[] = [];
  const get = remember(2, (key) => {
    made.push(key);
    return make(key);
  });
  return { get, made };
}

test('the same PEM gives the same key object, another one another', () => {
  const pems = Array.from({ length: 2 }, () =>
    generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  );
  const get = remember(2, (pem) => createPublicKey(pem));
  const [one, other] = pems.map(get);
  expect(pems.map(get)[0]).toBe(one);
  expect(other).not.toBe(one);
});

test('what is kept is not made again', () => {
  const { get, made } = watched();
  expect(get('a')).toBe(get('a'));
  expect(made).toEqual(['a']);
});

test('a throw is not kept', () => {
  let isBroken = true;
  const { get, made } = watched((key) => {
    if (isBroken) throw new Error('broken');
    return { key };
  });
  expect(() => get('a')).toThrow('broken');
  expect(() => get('a')).toThrow('broken');
  isBroken = false;
  expect(get('a')).toEqual({ key: 'a' });
  expect(made).toEqual(['a', 'a', 'a']);
});

test('the least recently used is dropped, not the oldest', () => {
  const { get, made } = watched();
  const a = get('a');
  get('b');
  expect(get('a')).toBe(a); // now b is the one
  get('c');
  expect(get('a')).toBe(a);
  expect(made).toEqual(['a', 'b', 'c']);
  get('b');
  expect(made).toEqual(['a', 'b', 'c', 'b']);
});
