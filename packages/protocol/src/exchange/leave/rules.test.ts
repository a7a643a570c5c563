import { describe, expect, it } from 'vitest';
import { inShort, soloDevice, soloServer, SOLO_DEVICE, type SoloDevice } from '../../testing/index.ts';
import { nextWake } from '../device.ts';

const SECOND = 1000;

const answer = (device: SoloDevice, token: string, status: number) =>
  device.hear('RESPONSE', token, { status });

describe('a device that leaves (P 10.8)', () => {
  it.each([
    ['resign', 'RESIGN_REQUEST', 0x70, 'keep'],
    ['deregister', 'DEREGISTER_REQ', 0x80, 'drop'],
  ] as const)('by %s asks, and goes when it is answered', async (what, type, status, identity) => {
    const device = soloDevice();
    expect(inShort(device.tell({ on: 'leave', token: 'l-1', what }))).toEqual([`send ${type}`]);
    expect(inShort(device.tell({ on: 'leave', token: 'l-2', what }))).toEqual([]);
    expect(device.state.join.phase).toBe('joined');
    expect((await answer(device, 'l-1', status)).effects).toEqual([{ do: 'leave', identity }]);
    expect(device.state.join).toEqual({ phase: 'left', attempts: 0, identity });
    expect(inShort(await answer(device, 'l-1', status))).toEqual([]);
    expect(inShort(await answer(device, 'l-1', status + 0x0f))).toEqual(['refused FLOW_FINISHED']);
    expect(nextWake(device.state)).toBeUndefined();
    expect(device.resume(false).effects).toEqual([{ do: 'leave', identity }]);
  });

  it('stays when the server says that leaving failed', async () => {
    const device = soloDevice();
    device.tell({ on: 'leave', token: 'l-1', what: 'resign' });
    expect(inShort(await answer(device, 'l-1', 0x7f))).toEqual([]);
    expect(device.state.join.phase).toBe('joined');
    expect(device.state.finished['l-1']).toMatchObject({ result: 'failed' });
    expect(inShort(await answer(device, 'l-1', 0x7f))).toEqual([]);
    expect(inShort(await answer(device, 'l-1', 0x70))).toEqual(['refused FLOW_FINISHED']);
  });

  it.each([
    ['resign', 'RESIGN_REQUEST', 'keep'],
    ['deregister', 'DEREGISTER_REQ', 'drop'],
  ] as const)('by %s says so once and goes, where nobody answers (interop)', (what, type, identity) => {
    const device = soloDevice({ serverSpeaksProfile: false });
    const said = device.tell({ on: 'leave', token: 'l-1', what });
    expect(inShort(said)).toEqual([`send ${type}`, 'leave']);
    expect(device.state.join).toEqual({ phase: 'left', attempts: 0, identity });
    expect(device.state.finished['l-1']).toMatchObject({ result: 'unconfirmed' });
    expect(nextWake(device.state)).toBeUndefined();
    // pySRUP's server ends by the goodbye of one that it does not have.
    expect(inShort(device.tell({ on: 'leave', token: 'l-2', what }))).not.toContain(`send ${type}`);
  });

  it('of such a server waits for the answer to its join first', async () => {
    const device = soloDevice({ serverSpeaksProfile: false });
    device.state = { ...device.state, join: { phase: 'idle', attempts: 0 } };
    device.tell({ on: 'join', token: 'j-1' });
    expect(inShort(device.tell({ on: 'leave', token: 'l-1', what: 'resign' }))).toEqual([]);
    expect(inShort(await answer(device, 'j-1', 0x50))).toEqual(['send RESIGN_REQUEST', 'leave']);
  });

  it('heeds only words on leaving (P 6.3)', async () => {
    const device = soloDevice();
    device.tell({ on: 'leave', token: 'l-1', what: 'resign' });
    for (const status of [0x80, 0x8f, 0x50, 0x00]) {
      expect(inShort(await answer(device, 'l-1', status))).toEqual(['refused FLOW_STATUS']);
    }
    expect(inShort(await device.hear('TERMINATE_CMD', 'l-1', {}))).toEqual(['refused FLOW_CONFLICT']);
    expect(device.state.open['l-1']).toMatchObject({ kind: 'leave', what: 'resign' });
  });

  it('asks 5 times and then goes without an answer: a server may be gone', () => {
    const device = soloDevice();
    device.tell({ on: 'leave', token: 'l-1', what: 'deregister' });
    const waits: number[] = [];
    for (let wakeAt = nextWake(device.state); wakeAt !== undefined; wakeAt = nextWake(device.state)) {
      waits.push((wakeAt - device.moment.now) / SECOND);
      device.pass(wakeAt - device.moment.now);
      const step = device.tell({ on: 'time' });
      expect(inShort(step)).toEqual(waits.length < 5 ? ['send DEREGISTER_REQ'] : ['leave']);
    }
    expect(waits).toEqual([20, 40, 80, 160, 320]);
    expect(device.state.join).toMatchObject({ phase: 'left', identity: 'drop' });
    expect(device.state.finished['l-1']).toMatchObject({ result: 'unconfirmed' });
  });

  it.each([
    [0x50, 'joined'],
    [0x5e, 'refused'],
  ])('before its join is answered asks after the answer %i', async (status, phase) => {
    const device = soloDevice();
    device.state = { ...device.state, join: { phase: 'idle', attempts: 0 } };
    device.tell({ on: 'join', token: 'j-1' });
    expect(inShort(device.tell({ on: 'leave', token: 'l-1', what: 'resign' }))).toEqual([]);
    expect(inShort(await answer(device, 'j-1', 0x99))).toEqual(['refused FLOW_STATUS']);
    expect(inShort(await answer(device, 'j-1', status))).toEqual(['send RESIGN_REQUEST']);
    expect(device.state.join.phase).toBe(phase);
    expect(inShort(await answer(device, 'l-1', 0x70))).toEqual(['leave']);
    expect(device.state.join.phase).toBe('left');
  });

  it('goes at last when neither its join nor its leave is answered', () => {
    const device = soloDevice();
    device.state = { ...device.state, join: { phase: 'idle', attempts: 0 } };
    device.tell({ on: 'join', token: 'j-1' });
    device.tell({ on: 'leave', token: 'l-1', what: 'resign' });
    for (let second = 0; second < 700; second++) {
      device.pass(SECOND);
      device.tell({ on: 'time' });
    }
    expect(device.state.join).toEqual({ phase: 'left', attempts: 0, identity: 'keep' });
    expect(device.state.finished['j-1']).toMatchObject({ result: 'left' });
  });

  it('does not ask to join meanwhile', async () => {
    const device = soloDevice();
    device.tell({ on: 'leave', token: 'l-1', what: 'resign' });
    expect(inShort(await device.hear('JOIN_CMD', 'j-1', { deviceId: SOLO_DEVICE }))).toEqual([
      'refused FLOW_STATE',
    ]);
    await device.hear('TERMINATE_CMD', 'c-1', {});
    expect(inShort(device.tell({ on: 'join', token: 'j-2' }))).toEqual([]);
    await answer(device, 'l-1', 0x70);
    expect(inShort(device.tell({ on: 'join', token: 'j-2' }))).toEqual(['send JOIN_REQ']);
  });

  it('that gave up its identity asks for nothing', async () => {
    const device = soloDevice();
    await device.hear('DEREGISTER_CMD', 'c-1', {});
    expect(inShort(device.tell({ on: 'leave', token: 'l-1', what: 'resign' }))).toEqual([]);
  });
});

describe('a device that is dismissed (P 10.8)', () => {
  it.each([
    ['TERMINATE_CMD', '70', 'keep'],
    ['DEREGISTER_CMD', '80', 'drop'],
  ] as const)('by %s answers %s first and goes, once', async (type, status, identity) => {
    const device = soloDevice();
    const step = await device.hear(type, 'c-1', {});
    expect(inShort(step)).toEqual([`send RESPONSE ${status}`, 'leave']);
    expect(step.effects.at(-1)).toEqual({ do: 'leave', identity });
    expect(inShort(await device.hear(type, 'c-1', {}))).toEqual([`send RESPONSE ${status}`]);
    expect(device.state.join).toEqual({ phase: 'left', attempts: 0, identity });
    const other = type === 'TERMINATE_CMD' ? 'DEREGISTER_CMD' : 'TERMINATE_CMD';
    expect(inShort(await device.hear(other, 'c-1', {}))).toEqual(['refused FLOW_CONFLICT']);
  });

  it('does not go on with a fetch or a deferred update; a switch that has begun is finished', async () => {
    const device = soloDevice({ serverSpeaksProfile: false });
    const url = 'https://files.example/fw';
    const digests = { fetching: 'a'.repeat(64), deferred: 'b'.repeat(64), activating: 'c'.repeat(64) };
    for (const [token, digest] of Object.entries(digests)) {
      await device.hear('INITIATE', token, { url, digest });
      if (token === 'fetching') continue;
      device.tell({ on: 'fetched', token, outcome: 'ok' });
      await device.hear('ACTIVATE', token, {});
    }
    device.tell({ on: 'installed', token: 'deferred', outcome: 'deferred' });
    await device.hear('TERMINATE_CMD', 'c-1', {});
    expect(Object.keys(device.state.open)).toEqual(['activating']);
    expect(nextWake(device.state)).toBeUndefined();
    expect(inShort(device.resume(true))).toEqual(['leave', 'install']);
    expect(inShort(device.tell({ on: 'fetched', token: 'fetching', outcome: 'ok' }))).toEqual([]);
    // Asked again, it says what is true: it has no file of the one, and never ran the other.
    device.state = { ...device.state, join: { phase: 'joined', attempts: 0 } };
    expect(inShort(await device.hear('INITIATE', 'fetching', { url, digest: digests.fetching }))).toEqual([
      'send RESPONSE fe',
    ]);
    expect(inShort(await device.hear('ACTIVATE', 'deferred', {}))).toEqual(['send RESPONSE 1f']);
  });

  it('never gets an identity back that it gave up', async () => {
    const device = soloDevice();
    await device.hear('DEREGISTER_CMD', 'c-1', {});
    await device.hear('TERMINATE_CMD', 'c-2', {});
    expect(device.state.join).toMatchObject({ identity: 'drop' });
  });

  it('while it asks to join goes on asking, but is not let in by an earlier answer', async () => {
    const device = soloDevice();
    device.state = { ...device.state, join: { phase: 'idle', attempts: 0 } };
    device.tell({ on: 'join', token: 'j-1' });
    expect(inShort(await device.hear('TERMINATE_CMD', 'c-1', {}, 7n))).toEqual(['send RESPONSE 70']);
    expect(inShort(await device.hear('RESPONSE', 'j-1', { status: 0x50 }, 6n))).toEqual([
      'refused FLOW_STATE',
    ]);
    device.pass(15 * SECOND);
    expect(inShort(device.tell({ on: 'time' }))).toEqual(['send JOIN_REQ']);
    expect(inShort(await device.hear('RESPONSE', 'j-1', { status: 0x50 }, 6n))).toEqual([
      'refused FLOW_STATE',
    ]);
    expect(inShort(await device.hear('RESPONSE', 'j-1', { status: 0x50 }, 8n))).toEqual([]);
    expect(device.state.join).toEqual({ phase: 'joined', attempts: 0 });
  });

  it('for good while it asks to join is not let in by an answer that comes after', async () => {
    const device = soloDevice();
    device.state = { ...device.state, join: { phase: 'idle', attempts: 0 } };
    device.tell({ on: 'join', token: 'j-1' });
    await device.hear('DEREGISTER_CMD', 'c-1', {});
    expect(inShort(await answer(device, 'j-1', 0x50))).toEqual(['refused FLOW_FINISHED']);
    expect(device.state.join.phase).toBe('left');
  });

  it('may join again, and an old command does not dismiss it twice', async () => {
    const device = soloDevice();
    await device.hear('TERMINATE_CMD', 'c-1', {});
    device.tell({ on: 'join', token: 'j-1' });
    await answer(device, 'j-1', 0x50);
    expect(inShort(await device.hear('TERMINATE_CMD', 'c-1', {}))).toEqual(['send RESPONSE 70']);
    expect(device.state.join).toEqual({ phase: 'joined', attempts: 0 });
  });
});

describe('leaving at the server (P 10.8)', () => {
  it.each([
    ['RESIGN_REQUEST', '70', 'resigned'],
    ['DEREGISTER_REQ', '80', 'deregistered'],
  ] as const)('by %s of the device is answered %s first, and counts once', async (type, status, standing) => {
    const server = soloServer();
    const token = server.newToken();
    const step = await server.hear(type, token, {});
    expect(inShort(step)).toEqual([`send RESPONSE ${status}`, 'stand']);
    expect(step).toMatchObject({ effects: [{}, { standing }] });
    expect(inShort(await server.hear(type, token, {}))).toEqual([`send RESPONSE ${status}`]);
    const other = type === 'RESIGN_REQUEST' ? 'DEREGISTER_REQ' : 'RESIGN_REQUEST';
    expect(inShort(await server.hear(other, token, {}))).toEqual(['refused FLOW_CONFLICT']);
    expect(inShort(await server.hear('RESPONSE', token, { status: 0x70 }))).toEqual(['refused FLOW_STATUS']);
  });

  it('of a device that is not joined is answered; only deregistering still changes the standing', async () => {
    const server = soloServer({ joined: false });
    expect(inShort(await server.hear('RESIGN_REQUEST', 'l-1', {}))).toEqual(['send RESPONSE 70']);
    expect(inShort(await server.hear('DEREGISTER_REQ', 'l-2', {}))).toEqual(['send RESPONSE 80', 'stand']);
  });

  it.each([
    ['terminate', 'TERMINATE_CMD', 0x70, 0x7f, ['terminated'], []],
    ['deregister', 'DEREGISTER_CMD', 0x80, 0x8f, ['terminated'], ['deregistered']],
  ] as const)('by %s shuts the device out at once', async (kind, type, yes, no, atOnce, atEnd) => {
    for (const [status, phase] of [
      [yes, 'left'],
      [no, 'failed'],
    ] as const) {
      const server = soloServer();
      const token = server.newToken();
      const standings = ({ effects }: { effects?: readonly { do: string; standing?: string }[] }) =>
        (effects ?? []).flatMap((it) => it.standing ?? []);
      const opened = server.open({ kind }, token);
      expect(inShort(opened)[0]).toBe(`send ${type}`);
      expect(standings(opened)).toEqual(atOnce);
      expect(inShort(await server.hear('RESPONSE', token, { status: 0x20 }))).toEqual([
        'refused FLOW_STATUS',
      ]);
      const answered = await server.hear('RESPONSE', token, { status });
      expect(standings('effects' in answered ? answered : {})).toEqual(atEnd);
      expect(server.exchange(token)).toMatchObject({ phase, status });
      expect(inShort(await server.hear('RESPONSE', token, { status }))).toEqual([]);
      expect(inShort(await server.hear('RESPONSE', token, { status: status === yes ? no : yes }))).toEqual([
        'refused FLOW_FINISHED',
      ]);
      expect(inShort(server.tell(token, { on: 'time' }))).toEqual([]);
    }
  });

  it('is said 5 times, then the decision stands without an answer', async () => {
    const server = soloServer();
    const token = server.newToken();
    server.open({ kind: 'deregister' }, token);
    const said: string[][] = [];
    for (let second = 0; second < 700; second++) {
      server.pass(SECOND);
      const step = server.tell(token, { on: 'time' });
      if (step.effects.length > 0) said.push(inShort(step));
    }
    expect(said).toEqual([...Array.from({ length: 4 }, () => ['send DEREGISTER_CMD']), ['stand']]);
    expect(server.exchange(token)).toMatchObject({ phase: 'expired' });
    expect(inShort(await server.hear('RESPONSE', token, { status: 0x80 }))).toEqual([]);
    expect(server.exchange(token)).toMatchObject({ phase: 'expired', status: 0x80 });
  });

  it('is said once to a device that never confirms, and stands as unconfirmed (P 10.7)', async () => {
    const server = soloServer({ confirms: false });
    const token = server.newToken();
    server.open({ kind: 'deregister' }, token);
    server.pass(60 * SECOND);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual(['stand']);
    expect(server.exchange(token)).toMatchObject({ phase: 'unconfirmed', attempts: 1 });
    expect(inShort(await server.hear('RESPONSE', token, { status: 0x80 }))).toEqual(['stand']);
    expect(server.exchange(token)).toMatchObject({ phase: 'left' });
  });

  it('is over before the device is let in again', async () => {
    const server = soloServer({ joined: false, dismissing: true });
    expect(inShort(await server.hear('JOIN_REQ', 'j-1', {}))).toEqual(['refused FLOW_STATE']);
    expect(server.exchange('j-1')).toBeUndefined();
  });

  it('has a token of its own', async () => {
    const server = soloServer();
    server.open({ kind: 'action', actionId: 1 }, 'a-1');
    expect(inShort(await server.hear('RESIGN_REQUEST', 'a-1', {}))).toEqual(['refused FLOW_CONFLICT']);
  });
});
