import { describe, expect, it } from 'vitest';
import { inShort, soloDevice } from '../../testing/index.ts';
import { MAX_OPEN } from '../memory.ts';

const MINUTE = 60_000;

describe('ACTION at the device', () => {
  it.each([
    ['done', '20'],
    ['unknown', '2e'],
    ['failed', '2f'],
  ] as const)('that ends as %s is answered %s, and runs once a token (P 10.5)', async (outcome, status) => {
    const device = soloDevice();
    const token = device.newToken();
    const step = await device.hear('ACTION', token, { actionId: 6 });
    expect(step.effects).toEqual([{ do: 'act', token, actionId: 6 }]);
    expect(inShort(await device.hear('ACTION', token, { actionId: 6 }))).toEqual([]);
    expect(inShort(device.tell({ on: 'acted', token, outcome }))).toEqual([`send RESPONSE ${status}`]);
    expect(inShort(await device.hear('ACTION', token, { actionId: 6 }))).toEqual([`send RESPONSE ${status}`]);
    expect(inShort(device.tell({ on: 'acted', token, outcome: 'done' }))).toEqual([]);
    expect(device.state.finished[token]).toMatchObject({ kind: 'action', result: outcome, content: '6' });
  });

  it('is a conflict with another action under the same token', async () => {
    const device = soloDevice();
    const token = device.newToken();
    await device.hear('ACTION', token, { actionId: 6 });
    expect(inShort(await device.hear('ACTION', token, { actionId: 7 }))).toEqual(['refused FLOW_CONFLICT']);
    device.tell({ on: 'acted', token, outcome: 'done' });
    expect(inShort(await device.hear('ACTION', token, { actionId: 7 }))).toEqual(['refused FLOW_CONFLICT']);
    expect(device.state.finished[token]).toMatchObject({ content: '6' });
  });

  it('is answered 2F when its token is older than 10 minutes, and never runs later (P 6.2)', async () => {
    const device = soloDevice();
    const old = device.newToken(10 * MINUTE + 1);
    const refused = ['send RESPONSE 2f', 'refused FLOW_TOKEN_AGE'];
    expect(inShort(await device.hear('ACTION', old, { actionId: 6 }))).toEqual(refused);
    expect(inShort(await device.hear('ACTION', device.newToken(10 * MINUTE), { actionId: 6 }))).toEqual([
      'act',
    ]);
    device.moment = { ...device.moment, trusted: false };
    expect(inShort(await device.hear('ACTION', old, { actionId: 6 }))).toEqual(['send RESPONSE 2f']);
    expect(inShort(await device.hear('ACTION', device.newToken(11 * MINUTE), { actionId: 6 }))).toEqual([
      'act',
    ]);
  });

  it('is answered 2F when too many are open, and never runs later', async () => {
    const device = soloDevice();
    const tokens = Array.from({ length: MAX_OPEN.action }, () => device.newToken());
    for (const token of tokens)
      expect(inShort(await device.hear('ACTION', token, { actionId: 6 }))).toEqual(['act']);
    const late = device.newToken();
    const refused = ['send RESPONSE 2f', 'refused FLOW_LIMIT'];
    expect(inShort(await device.hear('ACTION', late, { actionId: 6 }))).toEqual(refused);
    device.tell({ on: 'acted', token: tokens[0]!, outcome: 'done' });
    expect(inShort(await device.hear('ACTION', late, { actionId: 6 }))).toEqual(['send RESPONSE 2f']);
    expect(inShort(await device.hear('ACTION', device.newToken(), { actionId: 6 }))).toEqual(['act']);
  });

  it.each([
    [6, true, '2f', 'failed'],
    [3, false, '2f', 'failed'],
    [4, false, '2f', 'failed'],
    [3, true, '20', 'done'],
    [4, true, '20', 'done'],
  ])(
    '%i that ran at a restart (rebooted: %s) is answered %s and never run again',
    async (actionId, rebooted, status, result) => {
      const device = soloDevice();
      const token = device.newToken();
      await device.hear('ACTION', token, { actionId });
      const step = device.resume(rebooted);
      expect(inShort(step)).toEqual([`send RESPONSE ${status}`]);
      expect(step.state.finished[token]).toMatchObject({ result });
      expect(inShort(await device.hear('ACTION', token, { actionId }))).toEqual([`send RESPONSE ${status}`]);
      expect(inShort(device.resume(rebooted))).toEqual([]);
    },
  );
});
