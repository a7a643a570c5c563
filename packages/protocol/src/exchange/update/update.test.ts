import { describe, expect, it } from 'vitest';
import { HOSTILE, converse, playSeeds, requireHostile, type Conversation } from '../../testing/index.ts';
import type { TokenKey } from '../../token.ts';
import type { ServerUpdate } from '../server-exchange.ts';

const SEEDS = Number(process.env['SRUP_SEEDS'] ?? 200);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** An attacker may deliver what the network lost. */
const DEAD = { drop: 1, attackEveryMs: 0 };
const BAD = { drop: 0.7, attackEveryMs: HOUR };
const DIGEST = 'a'.repeat(64);

/** Server's phase and what the device remembers must tell one story. */
const AGREED: Readonly<Record<string, string>> = { active: 'active', reverted: 'reverted', failed: 'failed' };

function ends(talk: Conversation, token: TokenKey) {
  const { state } = talk.device.end;
  const theirs = talk.exchange(token) as ServerUpdate;
  return {
    ours: state.finished[token]?.result ?? state.open[token]?.phase,
    theirs: theirs.phase,
    theirsAll: theirs,
  };
}

describe('an update over a hostile network', () => {
  it(`ends the same at both ends, switched at most once (${SEEDS} seeds)`, async () => {
    const results = new Map<string, number>();
    const totals = await playSeeds(SEEDS, async (seed) => {
      let deferrals = 0;
      const talk = converse({
        seed,
        serverSpeaksProfile: seed % 4 !== 0,
        fate: {
          fetch: () =>
            talk.random.pick(['ok', 'ok', 'ok', 'ok', 'bad-digest', 'no-server', 'http-error', 'no-file']),
          install: () => {
            const outcome = talk.random.pick(['active', 'active', 'reverted', 'deferred'] as const);
            return outcome === 'deferred' && deferrals++ > 2 ? 'active' : outcome;
          },
        },
      });
      const updates = [seed % 2 === 0, seed % 3 === 0].map((activateAtOnce) => {
        const token = talk.command({
          kind: 'update',
          url: 'https://files.example/v2',
          digest: DIGEST,
          activateAtOnce,
        });
        if (!activateAtOnce) talk.when(token, 'staged', { on: 'activate' });
        return token;
      });
      const report = await talk.run(DAY);
      for (const token of updates) {
        const { ours, theirs } = ends(talk, token);
        results.set(theirs, (results.get(theirs) ?? 0) + 1);
        if (AGREED[theirs] === undefined || AGREED[theirs] !== ours) {
          throw new Error(`the server says ${theirs}, the device ${String(ours)}`);
        }
        const proofs = talk.server.end.state.records.filter(
          (it) => it.token === token && it.effect === 'prove',
        );
        const expected = theirs === 'failed' ? [] : ['staged', theirs];
        expect(proofs.map(({ detail }) => detail)).toEqual(expected);
        expect(talk.device.world.switches.has(token)).toBe(theirs !== 'failed');
      }
      return report;
    });
    requireHostile(totals);
    for (const phase of ['active', 'reverted', 'failed'])
      expect(results.get(phase), phase).toBeGreaterThan(0);
  });

  it('expires at the server when the network never comes back, and says nothing that is not proven', async () => {
    const seeds = Math.max(20, SEEDS / 10);
    const results = new Map<string, number>();
    await playSeeds(seeds, async (seed) => {
      const talk = converse({
        seed,
        hostility: { ...HOSTILE, ...(seed % 2 === 0 ? DEAD : BAD), crash: 0.01, quietAt: 30 * DAY },
      });
      const token = talk.command({
        kind: 'update',
        url: 'https://files.example/v2',
        digest: DIGEST,
        activateAtOnce: true,
      });
      const report = await talk.run(20 * DAY);
      const { ours, theirs, theirsAll } = ends(talk, token);
      results.set(theirs, (results.get(theirs) ?? 0) + 1);
      if (theirs === 'active') expect(ours).toBe('active');
      else expect(theirs).toBe('expired');
      if (seed % 2 === 0) expect([ours, theirsAll.status]).toEqual([undefined, undefined]);
      expect(theirsAll.wakeAt).toBeUndefined();
      return report;
    });
    expect(results.get('expired')).toBeGreaterThanOrEqual(seeds / 2);
    expect(results.get('active')).toBeGreaterThan(0);
  });
});
