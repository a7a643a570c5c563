import { expect, test } from 'vitest';
import { identityText } from '../identity.ts';
import { createToken, tokenKey } from '../token.ts';
import { fakeKeys } from './keys.ts';
import { seededRandom } from './random.ts';
import { scriptedPeer, type Written } from './scripted-peer.ts';

const DEVICE = 0x27ab_54d6_70b6_4be2n;
const SERVER = 0xb9d0_77e2_2383_4cf6n;
const [DEVICE_KEYS, SERVER_KEYS] = [fakeKeys(1), fakeKeys(2)];

function pair() {
  const random = seededRandom(1);
  const newToken = () => tokenKey(createToken(0, random.bytes(10)));
  const common = { newToken };
  return {
    device: scriptedPeer({
      ...common,
      role: 'device',
      self: DEVICE,
      key: DEVICE_KEYS.sign,
      peer: { id: SERVER, key: SERVER_KEYS.verify },
    }),
    server: scriptedPeer({
      ...common,
      role: 'server',
      self: SERVER,
      key: SERVER_KEYS.sign,
      peer: { id: DEVICE, key: DEVICE_KEYS.verify },
    }),
  };
}

const arrivalOf = ({ bytes, topic }: Written) => ({ bytes, topic, retained: false });

test('the two roles understand each other, and share one counter (P 5.1)', async () => {
  const { device, server } = pair();
  const asked = await device.write('JOIN_REQ', {});
  expect(asked.topic).toBe(`SRUP/servers/${identityText(SERVER)}/${identityText(DEVICE)}`);
  expect(server.hear(arrivalOf(asked))).toMatchObject({ value: { type: 'JOIN_REQ', sequence: 1n } });
  const answer = await server.write('RESPONSE', { status: 0x50 }, { token: asked.token });
  expect(answer).toMatchObject({ token: asked.token, topic: `SRUP/${identityText(DEVICE)}` });
  expect(device.hear(arrivalOf(answer))).toMatchObject({
    value: { sequence: 2n, body: { status: 0x50 } },
  });
  expect(await server.write('ACTIVATE', {})).not.toHaveProperty('token', asked.token);
});

test('what it hears twice is refused; what it reads twice is read', async () => {
  const { device, server } = pair();
  const data = await device.write('DATA', { dataId: 'level', data: Uint8Array.of(1) });
  expect(server.hear(arrivalOf(data)).ok).toBe(true);
  expect(server.hear(arrivalOf(data))).toMatchObject({ code: 'REPLAY_SEEN' });
  expect(server.read(data.bytes).ok).toBe(true);
  expect(server.read(data.bytes).ok).toBe(true);
});

test('what it reads counts: its next number is higher', async () => {
  const { device, server } = pair();
  server.read((await device.write('JOIN_REQ', {}, { sequence: 41n })).bytes);
  const next = await server.write('ID_REQUEST', {});
  expect(device.hear(arrivalOf(next))).toMatchObject({ value: { sequence: 42n } });
});

test('it lies about token, number, key and sender as it is told', async () => {
  const { device, server } = pair();
  const stranger = fakeKeys(3).sign;
  const forged = await server.write('ACTIVATE', {}, { key: stranger, sequence: 9n });
  expect(device.hear(arrivalOf(forged))).toMatchObject({ code: 'AUTH_SIGNATURE' });
  expect(device.read(forged.bytes)).toMatchObject({ code: 'AUTH_SIGNATURE' });
  const other = await server.write('ACTIVATE', {}, { sender: 7n });
  expect(device.hear(arrivalOf(other))).toMatchObject({ code: 'AUTH_SENDER' });
  expect(device.read(other.bytes)).toMatchObject({ code: 'AUTH_SENDER' });
  expect(device.read(Uint8Array.of(5))).toMatchObject({ code: 'WIRE_SHORT' });
});
