import { describe, expect, it } from 'vitest';
import { inShort, soloServer, type SoloServer } from '../../testing/index.ts';
import type { TokenKey } from '../../token.ts';

function begin(server: SoloServer): TokenKey {
  const token = server.newToken();
  expect(inShort(server.open({ kind: 'action', actionId: 6 }, token))).toEqual(['send ACTION']);
  return token;
}

const answer = (server: SoloServer, token: TokenKey, status: number) =>
  server.hear('RESPONSE', token, { status });

describe('an action at the server', () => {
  it.each([
    [0x20, 'done'],
    [0x2e, 'unknown'],
    [0x2f, 'failed'],
  ])('answered %i is %s, for good', async (status, phase) => {
    const server = soloServer();
    const token = begin(server);
    expect(inShort(await answer(server, token, status))).toEqual([]);
    expect(server.exchange(token)).toMatchObject({ phase, status });
    expect(server.exchange(token)?.wakeAt).toBeUndefined();
    expect(inShort(await answer(server, token, status))).toEqual([]);
    expect(inShort(await answer(server, token, status === 0x20 ? 0x2f : 0x20))).toEqual([
      'refused FLOW_FINISHED',
    ]);
    expect(server.exchange(token)).toMatchObject({ phase, status });
  });

  it('refuses words of other exchanges and answers to no question (P 6.3)', async () => {
    const server = soloServer();
    const token = begin(server);
    for (const status of [0x00, 0x10, 0x3f, 0x50, 0x70, 0x80, 0x21]) {
      expect(inShort(await answer(server, token, status))).toEqual(['refused FLOW_STATUS']);
    }
    expect(inShort(await answer(server, 'never seen', 0x20))).toEqual(['refused FLOW_TOKEN']);
    expect(server.exchange(token)).toMatchObject({ phase: 'sent' });
  });

  it('is sent again from 20 s on and expires after 10 minutes; a late answer is shown, the end stays', async () => {
    const server = soloServer();
    const token = begin(server);
    const sentAt: number[] = [];
    const start = server.moment.now;
    for (let second = 1; second <= 900; second++) {
      server.pass(1000);
      const step = server.tell(token, { on: 'time' });
      if (step.effects.length > 0) sentAt.push((server.moment.now - start) / 1000);
    }
    expect(sentAt).toEqual([20, 60, 140, 300, 460]);
    expect(server.exchange(token)).toMatchObject({ phase: 'expired', attempts: 6 });
    expect(inShort(await answer(server, token, 0x70))).toEqual(['refused FLOW_STATUS']);
    expect(inShort(await answer(server, token, 0x20))).toEqual([]);
    expect(server.exchange(token)).toMatchObject({ phase: 'expired', status: 0x20 });
  });

  it('knows no operator inputs but time', () => {
    const server = soloServer();
    const token = begin(server);
    for (const input of [
      { on: 'activate' },
      { on: 'cancel' },
      { on: 'decide', verdict: 'accept' },
      { on: 'identified', identification: '' },
    ] as const) {
      expect(inShort(server.tell(token, input))).toEqual(['refused FLOW_STATE']);
    }
  });
});
