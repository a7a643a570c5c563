import { describe, expect, it } from 'vitest';
import { inShort, soloDevice, soloServer } from '../../testing/index.ts';

const BODY = { dataId: 'mode', data: Uint8Array.of(1, 2) };
const OTHER = { dataId: 'mode', data: Uint8Array.of(1, 3) };

describe('DATA at the device', () => {
  it('is delivered once a token, and answered only when it is unknown', async () => {
    const device = soloDevice();
    const [taken, unknown] = [device.newToken(), device.newToken()];
    expect((await device.hear('DATA', taken, BODY)).effects).toEqual([
      { do: 'deliver', token: taken, ...BODY },
    ]);
    expect(inShort(await device.hear('DATA', taken, BODY))).toEqual([]);
    expect(device.state.finished[taken]).toMatchObject({ result: 'handed' });
    expect(inShort(device.tell({ on: 'delivered', token: taken, outcome: 'taken' }))).toEqual([]);
    expect(device.state.finished[taken]).toMatchObject({ result: 'taken' });
    await device.hear('DATA', unknown, BODY);
    expect(inShort(device.tell({ on: 'delivered', token: unknown, outcome: 'unknown' }))).toEqual([
      'send RESPONSE 3f',
    ]);
    expect(inShort(await device.hear('DATA', unknown, BODY))).toEqual(['send RESPONSE 3f']);
    expect(inShort(device.tell({ on: 'delivered', token: unknown, outcome: 'taken' }))).toEqual([]);
    expect(inShort(device.tell({ on: 'delivered', token: 'never seen', outcome: 'unknown' }))).toEqual([]);
  });

  it('is a conflict with another content or kind under the same token', async () => {
    const device = soloDevice();
    const [token, action] = [device.newToken(), device.newToken()];
    await device.hear('DATA', token, BODY);
    expect(inShort(await device.hear('DATA', token, OTHER))).toEqual(['refused FLOW_CONFLICT']);
    expect(inShort(await device.hear('DATA', token, { ...BODY, dataId: 'mod' }))).toEqual([
      'refused FLOW_CONFLICT',
    ]);
    await device.hear('ACTION', action, { actionId: 1 });
    expect(inShort(await device.hear('DATA', action, BODY))).toEqual(['refused FLOW_CONFLICT']);
  });

  it('with an id of the protocol never reaches a program', async () => {
    const device = soloDevice();
    const step = await device.hear('DATA', device.newToken(), { ...BODY, dataId: 'srup.defer' });
    expect(inShort(step)).toEqual(['send RESPONSE 3f', 'refused FLOW_UNSUPPORTED']);
  });

  it('is reported while joined, and only under ids of the program', () => {
    const device = soloDevice();
    const step = device.tell({ on: 'report', token: 'r-1', ...BODY });
    expect(step.effects).toMatchObject([{ do: 'send', draft: { type: 'DATA', body: BODY } }]);
    for (const dataId of ['srup.x', 'IDENTIFICATION_RESPONSE', 'OBSERVER_ID'])
      expect(() => device.tell({ on: 'report', token: 'r-2', ...BODY, dataId })).toThrow(RangeError);
    device.state = { ...device.state, join: { phase: 'asking', token: 'j', attempts: 1 } };
    expect(inShort(device.tell({ on: 'report', token: 'r-3', ...BODY }))).toEqual(['refused FLOW_STATE']);
  });

  it('that was reported is remembered by nobody, so an answer to it answers nothing (P 6.3)', async () => {
    const device = soloDevice();
    device.tell({ on: 'report', token: 'r-1', ...BODY });
    expect(inShort(await device.hear('RESPONSE', 'r-1', { status: 0x3f }))).toEqual(['refused FLOW_TOKEN']);
  });
});

describe('DATA at the server', () => {
  it('of a device is recorded once a token', async () => {
    const server = soloServer();
    const token = server.newToken();
    const step = await server.hear('DATA', token, BODY);
    expect(step).toMatchObject({ effects: [{ do: 'record', ...BODY }] });
    expect(inShort(await server.hear('DATA', token, BODY))).toEqual([]);
    expect(inShort(await server.hear('DATA', token, OTHER))).toEqual(['refused FLOW_CONFLICT']);
    expect(inShort(await server.hear('RESPONSE', token, { status: 0x3f }))).toEqual(['refused FLOW_STATUS']);
    expect(server.exchange(token)).toMatchObject({
      kind: 'data',
      phase: 'received',
      by: 'device',
      attempts: 0,
    });
  });

  it('of an unknown id is answered 3F, again and again, and not recorded', async () => {
    const server = soloServer({ takesData: (dataId) => dataId !== 'mode' });
    const token = server.newToken();
    expect(inShort(await server.hear('DATA', token, BODY))).toEqual(['send RESPONSE 3f']);
    expect(inShort(await server.hear('DATA', token, BODY))).toEqual(['send RESPONSE 3f']);
    expect(inShort(await server.hear('DATA', token, OTHER))).toEqual(['refused FLOW_CONFLICT']);
    expect(server.exchange(token)).toMatchObject({ phase: 'unknown', by: 'device', status: 0x3f });
  });

  it('with an id of the protocol that it does not know is refused', async () => {
    const server = soloServer();
    const step = await server.hear('DATA', server.newToken(), { ...BODY, dataId: 'srup.new' });
    expect(inShort(step)).toEqual(['send RESPONSE 3f', 'refused FLOW_UNSUPPORTED']);
  });

  it('to a device is sent once, and unknown when the device says so', async () => {
    const server = soloServer();
    const token = server.newToken();
    expect(inShort(server.open({ kind: 'data', ...BODY }, token))).toEqual(['send DATA']);
    expect(server.exchange(token)).toMatchObject({ phase: 'sent', by: 'server', attempts: 1 });
    server.pass(1e9);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual([]);
    expect(inShort(await server.hear('DATA', token, BODY))).toEqual(['refused FLOW_CONFLICT']);
    expect(inShort(await server.hear('RESPONSE', token, { status: 0x20 }))).toEqual(['refused FLOW_STATUS']);
    expect(inShort(await server.hear('RESPONSE', token, { status: 0x3f }))).toEqual([]);
    expect(inShort(await server.hear('RESPONSE', token, { status: 0x3f }))).toEqual([]);
    expect(server.exchange(token)).toMatchObject({ phase: 'unknown', status: 0x3f });
  });

  it('is a conflict under the token of another kind, and has no ids of the protocol', async () => {
    const server = soloServer();
    const token = server.newToken();
    server.open({ kind: 'action', actionId: 1 }, token);
    expect(inShort(await server.hear('DATA', token, BODY))).toEqual(['refused FLOW_CONFLICT']);
    expect(() => server.open({ kind: 'data', ...BODY, dataId: 'srup.x' }, 't')).toThrow(RangeError);
  });
});
