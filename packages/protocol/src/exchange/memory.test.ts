import { describe, expect, it } from 'vitest';
import { inShort, soloDevice, type StoredDevice } from '../testing/index.ts';
import { fingerprint } from './fingerprint.ts';
import { openOf } from './memory.ts';

describe('finished tokens (P 6.4)', () => {
  it('stay finished: no step forgets a recent one', async () => {
    const device = soloDevice();
    for (let n = 0; n < 300; n++) {
      await device.hear('ACTION', `a-${n}`, { actionId: 1 });
      device.tell({ on: 'acted', token: `a-${n}`, outcome: 'done' });
    }
    for (let n = 0; n < 300; n++) {
      expect(inShort(await device.hear('ACTION', `a-${n}`, { actionId: 1 }))).toEqual(['send RESPONSE 20']);
    }
  });
});

describe('tokens with the names of properties', () => {
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', '42'])(
    '%s is a token like any other',
    async (token) => {
      const device = soloDevice();
      expect(openOf(device.state, token)).toBeUndefined();
      expect(Object.keys(device.state.finished)).toEqual([]);
      expect(inShort(await device.hear('RESPONSE', token, { status: 0x50 }))).toEqual(['refused FLOW_TOKEN']);
      expect(inShort(await device.hear('ACTION', token, { actionId: 1 }))).toEqual(['act']);
      device.state = JSON.parse(JSON.stringify(device.state)) as StoredDevice;
      expect(openOf(device.state, token)).toMatchObject({ kind: 'action' });
      expect(inShort(device.tell({ on: 'acted', token, outcome: 'done' }))).toEqual(['send RESPONSE 20']);
      device.state = JSON.parse(JSON.stringify(device.state)) as StoredDevice;
      expect(openOf(device.state, token)).toBeUndefined();
      expect(inShort(await device.hear('ACTION', token, { actionId: 1 }))).toEqual(['send RESPONSE 20']);
      expect(Object.keys(device.state.finished)).toEqual([token]);
    },
  );
});

describe('a fingerprint', () => {
  it('differs for every small change, and where parts meet', () => {
    const values = [
      fingerprint(),
      fingerprint(''),
      fingerprint('', ''),
      fingerprint('ab', 'c'),
      fingerprint('a', 'bc'),
      fingerprint('abc'),
      fingerprint('abd'),
      fingerprint('a', Uint8Array.of(0)),
      fingerprint('a', Uint8Array.of(0, 0)),
    ];
    expect(new Set(values).size).toBe(values.length);
    for (const value of values) expect(value).toMatch(/^[0-9a-f]{16}$/);
    expect(fingerprint('abc')).toBe(fingerprint('abc'));
  });

  it('of a hundred thousand numbers is never the same', () => {
    const values = new Set(Array.from({ length: 100_000 }, (_, n) => fingerprint('dataId', String(n))));
    expect(values.size).toBe(100_000);
  });
});
