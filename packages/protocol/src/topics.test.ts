import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_U64 } from './limits.ts';
import { LAYOUTS } from './message/layouts.ts';
import {
  deviceTopic,
  joinFilter,
  joinTopic,
  mqttClientId,
  parseTopic,
  topicFromDevice,
  topicName,
} from './topics.ts';

const DEVICE = 0x27ab54d670b64be2n;
const SERVER = 0xb9d077e223834cf6n;
const identities = fc.bigInt({ min: 1n, max: MAX_U64 });

test('topics are those of the reference (P 7.1, 7.2)', () => {
  expect(deviceTopic(DEVICE)).toBe('SRUP/27ab54d670b64be2');
  expect(joinTopic(SERVER, DEVICE)).toBe('SRUP/servers/b9d077e223834cf6/27ab54d670b64be2');
  expect(joinFilter(SERVER)).toBe('SRUP/servers/b9d077e223834cf6/+');
  expect(mqttClientId(DEVICE)).toBe('SRUP Client: 27ab54d670b64be2');
});

test('a device asks to join on the topic of its server, and says all else on its own (P 7.2)', () => {
  const joins = LAYOUTS.map(({ type }) => type).filter(
    (type) => topicFromDevice(type, SERVER, DEVICE) === joinTopic(SERVER, DEVICE),
  );
  expect(joins).toEqual(['JOIN_REQ', 'HM_JOIN_REQ', 'OBS_JOIN_REQ']);
  expect(topicFromDevice('DATA', SERVER, DEVICE)).toBe(deviceTopic(DEVICE));
});

test('topics are read as they are written', () => {
  fc.assert(
    fc.property(identities, identities, (server, device) => {
      expect(parseTopic(deviceTopic(device))).toEqual({ kind: 'device', device });
      for (const name of [deviceTopic(device), joinTopic(server, device)])
        expect(topicName(parseTopic(name)!)).toBe(name);
      expect(parseTopic(joinTopic(server, device))).toEqual({ kind: 'join', server, device });
    }),
  );
});

test.each([
  '',
  'SRUP',
  'SRUP/',
  'SRUP/+',
  'SRUP/#',
  'SRUP/servers',
  'SRUP/servers/a1',
  'SRUP/servers/a1/',
  'SRUP/servers/+/a1',
  'SRUP/servers/a1/+',
  'SRUP/servers/a1/b2/c3',
  'SRUP/peers/a1/b2',
  'SRUP/a1/b2',
  'SRUP/a1/',
  '/SRUP/a1',
  'srup/a1',
  'SRUP/A1',
  'SRUP/0a1',
  'SRUP/0',
  'SRUP/a1\0',
  '$SYS/a1',
])('%j is not a topic of ours', (name) => {
  expect(parseTopic(name)).toBeUndefined();
});
