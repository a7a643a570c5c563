import { describe, expect, it } from 'vitest';
import { converse, HOSTILE, playSeeds, requireHostile, type Conversation } from '../testing/index.ts';
import type { ServerCommand } from './server-step.ts';

const SEEDS = Number(process.env['SRUP_SEEDS'] ?? 200);
const HOUR = 3_600_000;
const UPDATE = { kind: 'update', url: 'https://files.example/v2', digest: 'a'.repeat(64) } as const;

function randomCommand({ random }: Conversation): ServerCommand {
  return random.pick<ServerCommand>([
    { ...UPDATE, activateAtOnce: true },
    { kind: 'action', actionId: random.below(8) },
    { kind: 'data', dataId: 'mode', data: random.bytes(8) },
    { kind: 'identify' },
  ]);
}

/** Standing at the server, and phase at the device. A device that is terminated while it asks may be let in after. */
const ENDS = {
  terminate: ['terminated left', 'terminated failed', 'joined joined'],
  deregister: ['deregistered left'],
  resign: ['resigned left', 'unknown left'],
  nothing: ['joined joined'],
} as const;

describe('everything at once over a hostile network', () => {
  it(`keeps its promises, from the join to the end (${SEEDS} seeds)`, async () => {
    const outcomes = new Map<string, number>();
    const totals = await playSeeds(SEEDS, async (seed) => {
      const talk = converse({
        seed,
        join: 'idle',
        standing: 'unknown',
        hostility: { ...HOSTILE, quietAt: 300_000 },
        fate: {
          fetch: () => talk.random.pick(['ok', 'ok', 'no-server']),
          install: () => talk.random.pick(['active', 'reverted', 'deferred']),
          act: () => talk.random.pick(['done', 'failed', 'unknown']),
        },
      });
      const joinToken = talk.newToken();
      talk.insist(
        () => talk.device.end.state.join.phase !== 'idle',
        () => talk.device.input({ on: 'join', token: joinToken }),
      );
      for (let n = 0; n < 6; n++) {
        talk.timeline.after(talk.random.below(200_000), () => void talk.command(randomCommand(talk)));
      }
      const last = talk.random.pick(['terminate', 'deregister', 'resign', 'nothing'] as const);
      talk.timeline.after(talk.random.below(250_000), () => {
        if (last === 'resign') {
          const token = talk.newToken();
          const asked = () => token in talk.device.end.state.open || token in talk.device.end.state.finished;
          talk.insist(asked, () => talk.device.input({ on: 'leave', token, what: last }));
        } else if (last !== 'nothing') talk.command({ kind: last });
      });
      const report = await talk.run(25 * HOUR);
      const { join, open } = talk.device.end.state;
      const { standing, exchanges } = talk.server.end.state;
      outcomes.set(`${last}: ${standing}`, (outcomes.get(`${last}: ${standing}`) ?? 0) + 1);
      expect(ENDS[last]).toContain(`${standing} ${join.phase}`);
      if (last === 'nothing') {
        expect(open).toEqual({});
        for (const { kind, phase, wakeAt } of Object.values(exchanges)) {
          expect(wakeAt, `${kind} ${phase}`).toBeUndefined();
        }
      }
      return report;
    });
    requireHostile(totals);
    for (const outcome of [
      'terminate: terminated',
      'deregister: deregistered',
      'resign: resigned',
      'nothing: joined',
    ]) {
      expect(outcomes.get(outcome), outcome).toBeGreaterThan(SEEDS / 10);
    }
  });
});
