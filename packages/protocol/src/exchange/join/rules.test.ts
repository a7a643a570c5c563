import { describe, expect, it } from 'vitest';
import {
  inShort,
  NOTHING_STORED,
  soloDevice,
  soloServer,
  SOLO_DEVICE,
  type SoloDevice,
} from '../../testing/index.ts';
import { deviceForbids, nextWake } from '../device.ts';
import { serverForbids } from '../server.ts';

const SECOND = 1000;
const DAY = 24 * 3600 * SECOND;

function newDevice(): SoloDevice {
  const device = soloDevice();
  device.state = NOTHING_STORED;
  return device;
}

const answer = (device: SoloDevice, token: string, status: number) =>
  device.hear('RESPONSE', token, { status });

describe('a join at the device', () => {
  it.each([
    [0x50, 'joined'],
    [0x5e, 'refused'],
    [0x5f, 'failed'],
  ])('answered %i is %s', async (status, phase) => {
    const device = newDevice();
    const token = device.newToken();
    expect(inShort(device.tell({ on: 'join', token }))).toEqual(['send JOIN_REQ']);
    expect(inShort(await answer(device, token, status))).toEqual([]);
    expect(device.state.join).toEqual({ phase, attempts: 0 });
    expect(nextWake(device.state)).toBeUndefined();
    expect(inShort(await answer(device, token, status))).toEqual([]);
    expect(inShort(await answer(device, token, status === 0x50 ? 0x5f : 0x50))).toEqual([
      'refused FLOW_FINISHED',
    ]);
    expect(device.state.join.phase).toBe(phase);
  });

  it('is asked for under the same token after 15 s doubling to 15 min, without end', () => {
    const device = newDevice();
    const token = device.newToken();
    device.tell({ on: 'join', token });
    const waits = Array.from({ length: 500 }, () => {
      const wait = nextWake(device.state)! - device.moment.now;
      device.pass(wait - 1);
      expect(inShort(device.tell({ on: 'time' }))).toEqual([]);
      device.pass(1);
      expect(inShort(device.tell({ on: 'time' }))).toEqual(['send JOIN_REQ']);
      return wait / SECOND;
    });
    expect(waits.slice(0, 8)).toEqual([15, 30, 60, 120, 240, 480, 900, 900]);
    expect(waits.at(-1)).toBe(900);
    expect(device.state.join).toMatchObject({ phase: 'asking', token, attempts: 501 });
  });

  it('is asked for once only, and not at all while joined', () => {
    const device = newDevice();
    device.tell({ on: 'join', token: 'j-1' });
    expect(inShort(device.tell({ on: 'join', token: 'j-2' }))).toEqual([]);
    const joined = soloDevice();
    expect(inShort(joined.tell({ on: 'join', token: 'j-1' }))).toEqual([]);
  });

  it('is open only to its own answers (P 6.3)', async () => {
    const device = newDevice();
    device.tell({ on: 'join', token: 'j-1' });
    expect(inShort(await answer(device, 'j-2', 0x50))).toEqual(['refused FLOW_TOKEN']);
    for (const status of [0x00, 0x20, 0x60, 0x70, 0x51]) {
      expect(inShort(await answer(device, 'j-1', status))).toEqual(['refused FLOW_STATUS']);
    }
    expect(inShort(await device.hear('ACTION', 'j-1', { actionId: 1 }))).toEqual(['refused FLOW_CONFLICT']);
    expect(device.state.join.phase).toBe('asking');
  });

  it('goes on after a restart, even when the clock was set back by years', () => {
    const device = newDevice();
    device.moment = { ...device.moment, now: Date.UTC(2099, 0, 1) };
    device.tell({ on: 'join', token: 'j-1' });
    const before = device.state;
    expect(device.resume(true)).toEqual({ state: before, effects: [] });
    device.moment = { ...device.moment, now: Date.UTC(2026, 0, 1) };
    expect(inShort(device.tell({ on: 'time' }))).toEqual(['send JOIN_REQ']);
    expect(inShort(device.tell({ on: 'time' }))).toEqual([]);
  });

  it('may be tried again under a new token after it was refused', async () => {
    const device = newDevice();
    device.tell({ on: 'join', token: 'j-1' });
    await answer(device, 'j-1', 0x5e);
    expect(inShort(device.tell({ on: 'join', token: 'j-2' }))).toEqual(['send JOIN_REQ']);
    expect(inShort(await answer(device, 'j-1', 0x50))).toEqual(['refused FLOW_FINISHED']);
    expect(inShort(await answer(device, 'j-2', 0x50))).toEqual([]);
    expect(device.state.join.phase).toBe('joined');
  });
});

describe('JOIN_CMD (P 9.7)', () => {
  it('makes the device ask under its token, whatever it stands as', async () => {
    for (const device of [newDevice(), soloDevice()]) {
      const token = device.newToken();
      const step = await device.hear('JOIN_CMD', token, { deviceId: SOLO_DEVICE });
      expect(inShort(step)).toEqual(['send JOIN_REQ']);
      expect(device.state.join).toMatchObject({ phase: 'asking', token, attempts: 1 });
      expect(inShort(await device.hear('JOIN_CMD', token, { deviceId: SOLO_DEVICE }))).toEqual([]);
      await answer(device, token, 0x50);
      expect(inShort(await device.hear('JOIN_CMD', token, { deviceId: SOLO_DEVICE }))).toEqual([]);
      expect(device.state.join.phase).toBe('joined');
    }
  });

  it('with the id of another device is refused', async () => {
    const device = newDevice();
    for (const deviceId of [SOLO_DEVICE + 1n, SOLO_DEVICE & 0xffff_ffffn, 0n]) {
      expect(inShort(await device.hear('JOIN_CMD', device.newToken(), { deviceId }))).toEqual([
        'refused FLOW_TARGET',
      ]);
    }
    expect(device.state).toEqual(NOTHING_STORED);
  });

  it('does not disturb a join that is asked for, nor the token of another kind', async () => {
    const device = newDevice();
    device.tell({ on: 'join', token: 'j-1' });
    expect(inShort(await device.hear('JOIN_CMD', 'j-2', { deviceId: SOLO_DEVICE }))).toEqual([]);
    expect(device.state.join.token).toBe('j-1');
    const joined = soloDevice();
    await joined.hear('ACTION', 'a-1', { actionId: 1 });
    expect(inShort(await joined.hear('JOIN_CMD', 'a-1', { deviceId: SOLO_DEVICE }))).toEqual([
      'refused FLOW_CONFLICT',
    ]);
  });

  it('brings a device back that was terminated, but not one that gave up its identity', async () => {
    const device = soloDevice();
    await device.hear('TERMINATE_CMD', 't-1', {});
    expect(inShort(await device.hear('JOIN_CMD', 'j-1', { deviceId: SOLO_DEVICE }))).toEqual([
      'send JOIN_REQ',
    ]);
    await device.hear('DEREGISTER_CMD', 't-2', {});
    expect(inShort(await device.hear('JOIN_CMD', 'j-2', { deviceId: SOLO_DEVICE }))).toEqual([
      'refused FLOW_STATE',
    ]);
    expect(inShort(device.tell({ on: 'join', token: 'j-3' }))).toEqual([]);
  });
});

describe('a join at the server', () => {
  it.each([
    ['accept', 0x50, 'accepted', 'joined'],
    ['refuse', 0x5e, 'refused', 'refused'],
    ['fail', 0x5f, 'failed', 'failed'],
  ] as const)('that the policy answers with %s', async (joinVerdict, status, phase, standing) => {
    const server = soloServer({ joined: false, joinVerdict });
    const token = server.newToken();
    const step = await server.hear('JOIN_REQ', token, {});
    const answered = `send RESPONSE ${status.toString(16)}`;
    expect(inShort(step)).toEqual([answered, 'stand']);
    expect(step).toMatchObject({ effects: [{}, { do: 'stand', standing }] });
    expect(server.exchange(token)).toMatchObject({ phase, status });
    if (phase !== 'accepted') expect(inShort(await server.hear('JOIN_REQ', token, {}))).toEqual([answered]);
    expect(inShort(server.tell(token, { on: 'decide', verdict: 'accept' }))).toEqual(['refused FLOW_STATE']);
  });

  it('while joined is answered 50 and changes nothing (P 9.5)', async () => {
    const server = soloServer({ joined: true, joinVerdict: 'fail' });
    const token = server.newToken();
    expect(inShort(await server.hear('JOIN_REQ', token, {}))).toEqual(['send RESPONSE 50']);
    expect(inShort(await server.hear('JOIN_REQ', token, {}))).toEqual(['send RESPONSE 50']);
    expect(server.exchange(token)).toMatchObject({ phase: 'accepted' });
  });

  it('that was accepted does not let a device in again that has left since', async () => {
    const server = soloServer({ joined: false });
    const token = server.newToken();
    await server.hear('JOIN_REQ', token, {});
    const again = await server.hear('JOIN_REQ', token, {});
    expect(inShort(again)).toEqual(['send RESPONSE 5f', 'refused FLOW_FINISHED']);
  });

  it('waits for the operator, and is decided once', async () => {
    const server = soloServer({ joined: false, joinVerdict: 'ask' });
    const token = server.newToken();
    const step = await server.hear('JOIN_REQ', token, {});
    expect(step).toMatchObject({ effects: [{ do: 'stand', standing: 'pending' }] });
    expect(inShort(await server.hear('JOIN_REQ', token, {}))).toEqual([]);
    server.pass(DAY);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual([]);
    expect(inShort(server.tell(token, { on: 'decide', verdict: 'refuse' }))).toEqual([
      'send RESPONSE 5e',
      'stand',
    ]);
    expect(inShort(server.tell(token, { on: 'decide', verdict: 'accept' }))).toEqual(['refused FLOW_STATE']);
    expect(server.exchange(token)?.wakeAt).toBeUndefined();
  });

  it('that nobody decides fails after 7 days', async () => {
    const server = soloServer({ joined: false, joinVerdict: 'ask' });
    const token = server.newToken();
    await server.hear('JOIN_REQ', token, {});
    server.pass(7 * DAY);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual(['send RESPONSE 5f', 'stand']);
    expect(server.exchange(token)).toMatchObject({ phase: 'expired' });
    expect(inShort(await server.hear('JOIN_REQ', token, {}))).toEqual(['send RESPONSE 5f']);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual([]);
  });

  it('any number may be pending at once, each with its own end (P 9.5)', async () => {
    const server = soloServer({ joined: false, joinVerdict: 'ask' });
    const [first, second] = [server.newToken(), server.newToken()];
    await server.hear('JOIN_REQ', first, {});
    server.pass(DAY);
    await server.hear('JOIN_REQ', second, {});
    server.pass(6 * DAY);
    expect(inShort(server.tell(first, { on: 'time' }))).toEqual(['send RESPONSE 5f', 'stand']);
    expect(inShort(server.tell(second, { on: 'time' }))).toEqual([]);
  });

  it('is no answer, and has a token of its own', async () => {
    const server = soloServer({ joined: false });
    const [join, action] = [server.newToken(), server.newToken()];
    await server.hear('JOIN_REQ', join, {});
    expect(inShort(await server.hear('RESPONSE', join, { status: 0x50 }))).toEqual(['refused FLOW_STATUS']);
    server.open({ kind: 'action', actionId: 1 }, action);
    expect(inShort(await server.hear('JOIN_REQ', action, {}))).toEqual(['refused FLOW_CONFLICT']);
  });
});

describe('greeting after the broker lost a session', () => {
  it('is a JOIN_REQ that changes nothing at either end, and its answer is expected (P 9.5)', async () => {
    const device = soloDevice();
    const before = device.state.join;
    const token = device.newToken();
    expect(inShort(device.tell({ on: 'greet', token }))).toEqual(['send JOIN_REQ']);
    expect(device.state.join).toEqual(before);
    expect(inShort(await device.hear('RESPONSE', token, { status: 0x50 }))).toEqual([]);
    const server = soloServer({ joined: true });
    expect(inShort(await server.hear('JOIN_REQ', server.newToken(), {}))).toEqual(['send RESPONSE 50']);
  });

  it('that is answered with a no ends the belief to be joined', async () => {
    for (const [status, phase] of [
      [0x5e, 'refused'],
      [0x5f, 'failed'],
    ] as const) {
      const device = soloDevice();
      const token = device.newToken();
      device.tell({ on: 'greet', token });
      expect(inShort(await device.hear('RESPONSE', token, { status }))).toEqual([]);
      expect(device.state.join.phase).toBe(phase);
      expect(inShort(await device.hear('RESPONSE', token, { status: 0x50 }))).toEqual([
        'refused FLOW_FINISHED',
      ]);
    }
  });

  it('is left out where the server would only decide anew (interop)', () => {
    const device = soloDevice({ serverSpeaksProfile: false });
    expect(inShort(device.tell({ on: 'greet', token: device.newToken() }))).toEqual([]);
  });

  it('is left out by a device that is not joined', () => {
    const device = soloDevice();
    for (const phase of ['idle', 'asking', 'refused', 'failed', 'left'] as const) {
      device.state = { ...NOTHING_STORED, join: { phase, attempts: 0 } };
      expect(inShort(device.tell({ on: 'greet', token: device.newToken() }))).toEqual([]);
    }
  });
});

describe('who is heard (P 4.6 "authorised")', () => {
  it('a device that is not joined hears of joining and leaving only', () => {
    for (const phase of ['idle', 'asking', 'refused', 'failed', 'left'] as const) {
      const state = { ...NOTHING_STORED, join: { phase, attempts: 0 } };
      for (const type of ['INITIATE', 'ACTIVATE', 'ACTION', 'DATA', 'ID_REQUEST'] as const) {
        expect(deviceForbids(state, type)).toBe('AUTH_STATE');
      }
      for (const type of ['RESPONSE', 'JOIN_CMD', 'TERMINATE_CMD', 'DEREGISTER_CMD'] as const) {
        expect(deviceForbids(state, type)).toBeUndefined();
      }
    }
    expect(deviceForbids(soloDevice().state, 'ACTION')).toBeUndefined();
  });

  it('a server hears DATA of joined devices only, and the way in and out of all', () => {
    for (const standing of ['unknown', 'pending', 'refused', 'failed', 'resigned', 'terminated'] as const) {
      expect(serverForbids(standing, 'DATA')).toBe('AUTH_STATE');
      for (const type of ['JOIN_REQ', 'RESPONSE', 'RESIGN_REQUEST', 'DEREGISTER_REQ'] as const) {
        expect(serverForbids(standing, type)).toBeUndefined();
      }
    }
    expect(serverForbids('joined', 'DATA')).toBeUndefined();
    expect(serverForbids('deregistered', 'JOIN_REQ')).toBe('AUTH_STATE');
    expect(serverForbids('deregistered', 'DEREGISTER_REQ')).toBeUndefined();
  });
});
