import { describe, expect, it } from 'vitest';
import { converse, HOSTILE, playSeeds, requireHostile } from '../../testing/index.ts';
import type { ServerAction } from '../server-exchange.ts';

const SEEDS = Number(process.env['SRUP_SEEDS'] ?? 200);
const HOUR = 3_600_000;
const REBOOT = 0x04;
const ACTIONS = [0x01, 0x05, 0x06, REBOOT, 0x40];

describe('actions over a hostile network', () => {
  it(`run at most once and end the same at both ends (${SEEDS} seeds)`, async () => {
    const results = new Map<string, number>();
    const totals = await playSeeds(SEEDS, async (seed) => {
      const talk = converse({
        seed,
        fate: { act: () => talk.random.pick(['done', 'done', 'done', 'unknown', 'failed']) },
      });
      const tokens = Array.from({ length: 3 }, () =>
        talk.command({ kind: 'action', actionId: talk.random.pick(ACTIONS) }),
      );
      const report = await talk.run(HOUR);
      for (const token of tokens) {
        const theirs = talk.exchange(token) as ServerAction;
        const ours = talk.device.end.state.finished[token];
        results.set(theirs.phase, (results.get(theirs.phase) ?? 0) + 1);
        expect(theirs.phase).toBe(ours?.result);
        expect(theirs.status).toBe(ours?.answer);
        const runs = talk.device.world.acts.get(token) ?? 0;
        // A crash between commit and run leaves an action that never ran: it is answered as failed.
        if (theirs.phase !== 'failed') expect(runs).toBe(1);
        if (theirs.actionId === REBOOT) expect(talk.device.end.restarts).toBeGreaterThanOrEqual(runs);
      }
      expect(talk.device.end.state.open).toEqual({});
      return report;
    });
    requireHostile(totals);
    for (const phase of ['done', 'unknown', 'failed']) expect(results.get(phase), phase).toBeGreaterThan(0);
  });

  it('expire when no answer comes', async () => {
    const { dropped } = await playSeeds(Math.max(20, SEEDS / 10), async (seed) => {
      const hostility = { ...HOSTILE, drop: 1, attackEveryMs: 0, quietAt: HOUR };
      const talk = converse({ seed, hostility });
      const token = talk.command({ kind: 'action', actionId: 1 });
      const report = await talk.run(2 * HOUR);
      const theirs = talk.exchange(token) as ServerAction;
      expect(theirs.phase).toBe('expired');
      expect(theirs.status).toBeUndefined();
      expect(theirs.attempts).toBeGreaterThan(3);
      expect(theirs.attempts).toBeLessThan(12);
      expect(talk.device.world.acts.size).toBe(0);
      return report;
    });
    expect(dropped).toBeGreaterThan(0);
  });

  it('are sent once and shown as unconfirmed to a device that never confirms, until it does (P 10.7)', async () => {
    await playSeeds(20, async (seed) => {
      const talk = converse({ seed, policy: { confirms: false }, hostility: { ...HOSTILE, crash: 0 } });
      const token = talk.command({ kind: 'action', actionId: 1 });
      const report = await talk.run(HOUR);
      const theirs = talk.exchange(token) as ServerAction;
      const ours = talk.device.end.state.finished[token]?.result;
      expect(theirs.attempts).toBe(1);
      expect(['unconfirmed', ours]).toContain(theirs.phase);
      expect(theirs.wakeAt).toBeUndefined();
      return report;
    });
  });
});
