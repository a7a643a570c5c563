import { describe, expect, it } from 'vitest';
import { converse, HOSTILE, playSeeds, requireHostile, type Conversation } from '../../testing/index.ts';
import type { ServerJoin } from '../server-exchange.ts';
import type { JoinVerdict } from '../server-step.ts';

const SEEDS = Number(process.env['SRUP_SEEDS'] ?? 200);
const HOUR = 3_600_000;
const VERDICTS: readonly JoinVerdict[] = ['accept', 'refuse', 'fail', 'ask'];
const JOINED = {
  accepted: 'joined',
  refused: 'refused',
  failed: 'failed',
  expired: 'failed',
  pending: 'asking',
} as const;

function askToJoin(talk: Conversation): string {
  const token = talk.newToken();
  talk.insist(
    () => talk.device.end.state.join.phase !== 'idle',
    () => talk.device.input({ on: 'join', token }),
  );
  return token;
}

describe('a simple join over a hostile network', () => {
  it(`ends the same at both ends (${SEEDS} seeds)`, async () => {
    const results = new Map<string, number>();
    const totals = await playSeeds(SEEDS, async (seed) => {
      const joinVerdict = VERDICTS[seed % VERDICTS.length]!;
      const talk = converse({ seed, join: 'idle', standing: 'unknown', policy: { joinVerdict } });
      const token = askToJoin(talk);
      const verdict = talk.random.pick(['accept', 'refuse', 'fail'] as const);
      if (joinVerdict === 'ask') talk.when(token, 'pending', { on: 'decide', verdict });
      // An order given before the device is in: refused, or obeyed once it is.
      const action = talk.command({ kind: 'action', actionId: 1 });
      const report = await talk.run(HOUR);
      const { join, finished } = talk.device.end.state;
      const theirs = talk.exchange(token) as ServerJoin;
      results.set(theirs.phase, (results.get(theirs.phase) ?? 0) + 1);
      expect(join.phase).toBe(JOINED[theirs.phase]);
      expect(talk.server.end.state.standing).toBe(join.phase);
      expect(theirs.phase).not.toBe('pending');
      expect(finished[token]?.result).toBe(join.phase);
      if (join.phase !== 'joined') expect(talk.device.world.acts.has(action)).toBe(false);
      return report;
    });
    requireHostile(totals);
    for (const phase of ['accepted', 'refused', 'failed'])
      expect(results.get(phase), phase).toBeGreaterThan(0);
  });

  it('is asked for without end while the network is away, and ends when it is back', async () => {
    await playSeeds(20, async (seed) => {
      const days = 3 * 24 * HOUR;
      const hostility = { ...HOSTILE, drop: 1, crash: 0.005, attackEveryMs: 0, quietAt: days };
      const talk = converse({ seed, join: 'idle', standing: 'unknown', hostility });
      askToJoin(talk);
      await talk.timeline.run(days);
      expect(talk.device.end.state.join).toMatchObject({ phase: 'asking' });
      expect(talk.device.end.state.join.attempts).toBeGreaterThan(200);
      const report = await talk.run(days + HOUR);
      expect(talk.device.end.state.join.phase).toBe('joined');
      expect(talk.server.end.state.standing).toBe('joined');
      return report;
    });
  });

  it('expires when nobody decides, and the device hears of it', async () => {
    await playSeeds(5, async (seed) => {
      const talk = converse({ seed, join: 'idle', standing: 'unknown', policy: { joinVerdict: 'ask' } });
      const token = askToJoin(talk);
      const report = await talk.run(8 * 24 * HOUR);
      expect(talk.exchange(token)?.phase).toBe('expired');
      expect(talk.server.end.state.standing).toBe('failed');
      expect(talk.device.end.state.join.phase).toBe('failed');
      return report;
    });
  });
});
