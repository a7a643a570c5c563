import { describe, expect, it } from 'vitest';
import { inShort, soloDevice, soloServer } from '../../testing/index.ts';
import { encodeText } from '../../wire/text.ts';
import { confirmsCommands, MAX_IDENTIFICATION_LENGTH } from './identification.ts';

const dataId = 'IDENTIFICATION_RESPONSE';
const naming = (text: string) => ({ dataId, data: encodeText(text) });

describe('identification at the device', () => {
  it('is the same however often it is asked for', async () => {
    const device = soloDevice({ identification: 'srup-agent/1.2.3 pump' });
    const token = device.newToken();
    for (let n = 0; n < 2; n++) {
      const step = await device.hear('ID_REQUEST', token, {});
      expect(step.effects).toMatchObject([
        {
          do: 'send',
          draft: { type: 'DATA', token: encodeText(token), body: naming('srup-agent/1.2.3 pump') },
        },
      ]);
    }
    expect(inShort(await device.hear('ACTION', token, { actionId: 1 }))).toEqual(['refused FLOW_CONFLICT']);
  });

  it('is a conflict under the token of another kind', async () => {
    const device = soloDevice();
    const token = device.newToken();
    await device.hear('ACTION', token, { actionId: 1 });
    expect(inShort(await device.hear('ID_REQUEST', token, {}))).toEqual(['refused FLOW_CONFLICT']);
  });
});

describe('identification at the server', () => {
  it('is answered under its token, and taken down once', async () => {
    const server = soloServer();
    const token = server.newToken();
    expect(inShort(server.open({ kind: 'identify' }, token))).toEqual(['send ID_REQUEST']);
    const step = await server.hear('DATA', token, naming('srup-agent/1'));
    expect(step).toMatchObject({ effects: [{ do: 'identify', identification: 'srup-agent/1' }] });
    expect(inShort(await server.hear('DATA', token, naming('srup-agent/1')))).toEqual([]);
    expect(inShort(await server.hear('DATA', token, naming('srup-agent/2')))).toEqual([
      'refused FLOW_FINISHED',
    ]);
    expect(inShort(await server.hear('RESPONSE', token, { status: 0x00 }))).toEqual(['refused FLOW_STATUS']);
    expect(inShort(await server.hear('DATA', token, { ...naming('x'), dataId: 'other' }))).toEqual([
      'refused FLOW_CONFLICT',
    ]);
    expect(server.exchange(token)).toMatchObject({ phase: 'answered', identification: 'srup-agent/1' });
  });

  it('of pySRUP comes under a token of its own, and may settle our request (interop)', async () => {
    const server = soloServer();
    const [asked, theirs] = [server.newToken(), server.newToken()];
    server.open({ kind: 'identify' }, asked);
    expect(inShort(await server.hear('DATA', theirs, naming('pySRUP')))).toEqual(['identify']);
    expect(server.exchange(theirs)).toMatchObject({
      kind: 'identify',
      phase: 'answered',
      identification: 'pySRUP',
    });
    const settled = server.tell(asked, { on: 'identified', identification: 'pySRUP' });
    expect(settled.state).toMatchObject({ phase: 'answered', identification: 'pySRUP' });
    expect(settled.state.wakeAt).toBeUndefined();
    expect(inShort(server.tell(asked, { on: 'identified', identification: 'pySRUP' }))).toEqual([
      'refused FLOW_STATE',
    ]);
  });

  it('is asked for again, expires, and is still heard when it comes late', async () => {
    const server = soloServer();
    const token = server.newToken();
    server.open({ kind: 'identify' }, token);
    server.pass(20_000);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual(['send ID_REQUEST']);
    server.pass(600_000);
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual([]);
    expect(server.exchange(token)).toMatchObject({ phase: 'expired' });
    expect(inShort(server.tell(token, { on: 'time' }))).toEqual([]);
    expect(inShort(await server.hear('DATA', token, naming('late')))).toEqual(['identify']);
    expect(server.exchange(token)).toMatchObject({ phase: 'expired', identification: 'late' });
  });

  it('that is not a text says nothing', async () => {
    const server = soloServer();
    const token = server.newToken();
    const body = { dataId, data: Uint8Array.of(0xff) };
    expect(inShort(await server.hear('DATA', token, body))).toEqual(['refused FLOW_STATUS']);
    expect(server.exchange(token)).toBeUndefined();
    server.open({ kind: 'identify' }, token);
    expect(inShort(await server.hear('DATA', token, body))).toEqual(['refused FLOW_STATUS']);
    expect(server.exchange(token)).toMatchObject({ phase: 'sent' });
  });

  it('is kept up to a length', async () => {
    const server = soloServer();
    const token = server.newToken();
    await server.hear('DATA', token, naming('x'.repeat(60_000)));
    expect(server.exchange(token)).toMatchObject({ identification: 'x'.repeat(MAX_IDENTIFICATION_LENGTH) });
  });

  it('tells who confirms commands (P 10.7)', () => {
    expect(confirmsCommands('srup-agent/0.1.0 linux')).toBe(true);
    for (const other of ['pySRUP', '', 'my srup-agent/0.1.0', 'SRUP-AGENT/1'])
      expect(confirmsCommands(other)).toBe(false);
  });
});
