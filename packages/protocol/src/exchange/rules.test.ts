import { describe, expect, it } from 'vitest';
import { inShort, soloDevice, soloServer } from '../testing/index.ts';
import { nextWake } from './device.ts';
import { answerMessage } from './server.ts';
import { ACTION_RETRY, JITTER, judge, nextTry } from './retry.ts';
import { freshFrom } from '../testing/fresh.ts';

const NOTHING = new Uint8Array(0);

describe('exchanges that have no machines yet', () => {
  it('are refused by the device', async () => {
    const device = soloDevice();
    const before = device.state;
    for (const step of [
      await device.hear('HM_JOIN_RESP', 't', { sealedNonce: NOTHING }),
      await device.hear('OBS_JOIN_RESP', 't', { sealedNonce: NOTHING }),
      await device.hear('OBSERVE_REQ', 't', { joiningDeviceId: 1n, sealedNonce: NOTHING }),
      await device.hear('SYNDICATION_INIT', 't', { url: 'https://a.example', sealedIdValue: NOTHING }),
      await device.hear('SYNDICATED_ACTION', 't', { actionId: 1, targetId: 1n }),
    ]) {
      expect(inShort(step)).toEqual(['refused FLOW_UNSUPPORTED']);
    }
    expect(device.state).toEqual(before);
  });

  it('are refused by the server, with a known token and without', async () => {
    const server = soloServer();
    const known = server.newToken();
    server.open({ kind: 'action', actionId: 1 }, known);
    for (const token of [known, 'new']) {
      expect(inShort(await server.hear('HM_JOIN_REQ', token, {}))).toEqual(['refused FLOW_UNSUPPORTED']);
      expect(inShort(await server.hear('OBS_JOIN_REQ', token, { observerId: 1n }))).toEqual([
        'refused FLOW_UNSUPPORTED',
      ]);
      expect(inShort(await server.hear('SYNDICATED_DEV_COUNT', token, { count: 1 }))).toEqual([
        'refused FLOW_UNSUPPORTED',
      ]);
    }
    expect(server.exchange('new')).toBeUndefined();
    expect(server.exchange(known)).toMatchObject({ kind: 'action', phase: 'sent' });
  });
});

describe('an answer at the device (P 6.3)', () => {
  it('to nothing, to the server itself, or to what is over is refused', async () => {
    const device = soloDevice();
    const answer = async (token: string) => inShort(await device.hear('RESPONSE', token, { status: 0x70 }));
    expect(await answer('never seen')).toEqual(['refused FLOW_TOKEN']);
    await device.hear('ACTION', 'a-1', { actionId: 1 });
    expect(await answer('a-1')).toEqual(['refused FLOW_STATUS']);
    device.tell({ on: 'acted', token: 'a-1', outcome: 'done' });
    expect(await answer('a-1')).toEqual(['refused FLOW_FINISHED']);
    await device.hear('TERMINATE_CMD', 'c-1', {});
    expect(await answer('c-1')).toEqual(['refused FLOW_FINISHED']);
  });
});

describe('results that nobody waits for', () => {
  it('change nothing', async () => {
    const device = soloDevice();
    await device.hear('ACTION', 'a-1', { actionId: 1 });
    const before = device.state;
    for (const token of ['never seen', 'a-1']) {
      expect(inShort(device.tell({ on: 'fetched', token, outcome: 'ok' }))).toEqual([]);
      expect(inShort(device.tell({ on: 'installed', token, outcome: 'active' }))).toEqual([]);
      expect(inShort(device.tell({ on: 'delivered', token, outcome: 'taken' }))).toEqual([]);
    }
    expect(inShort(device.tell({ on: 'acted', token: 'never seen', outcome: 'done' }))).toEqual([]);
    expect(inShort(device.tell({ on: 'time' }))).toEqual([]);
    expect(device.state).toEqual(before);
    expect(nextWake(device.state)).toBeUndefined();
  });
});

describe('the server', () => {
  it('takes a message as an input too, and never one of another token', async () => {
    const server = soloServer();
    server.open({ kind: 'action', actionId: 1 }, 'a-1');
    const token = new TextEncoder().encode('a-1');
    const message = await freshFrom('device', { type: 'RESPONSE', token, body: { status: 0x20 } });
    server.tell('a-1', { on: 'message', message });
    expect(server.exchange('a-1')).toMatchObject({ phase: 'done' });
    server.open({ kind: 'action', actionId: 1 }, 'a-2');
    expect(() => answerMessage(message, server.exchange('a-2'), server.moment, server.facts)).toThrow(
      TypeError,
    );
  });
});

describe('waits (P 10.10)', () => {
  const at = (random: number, now = 0) => ({ now, trusted: true, random });

  it('are spread by chance, within bounds', () => {
    expect(nextTry(ACTION_RETRY, 1, at(0))).toBe(20_000 * (1 - JITTER));
    expect(nextTry(ACTION_RETRY, 1, at(0.5))).toBe(20_000);
    expect(nextTry(ACTION_RETRY, 1, at(1))).toBe(20_000 * (1 + JITTER));
    expect(nextTry(ACTION_RETRY, 1000, at(1))).toBe(ACTION_RETRY.mostMs * (1 + JITTER));
  });

  it('end by number or by time, and only when they are due', () => {
    const policy = { firstMs: 10, mostMs: 10, tries: 3, expireMs: 100 };
    const look = (attempts: number, now: number) => judge({ attempts, wakeAt: 50 }, policy, 0, at(0, now));
    expect(look(9, 49)).toBe('wait');
    expect(look(2, 50)).toBe('again');
    expect(look(3, 50)).toBe('over');
    expect(look(1, 99)).toBe('again');
    expect(look(1, 100)).toBe('over');
    expect(judge({ attempts: 9 }, policy, 0, at(0, 1e9))).toBe('wait');
  });
});
