import { describe, expect, it } from 'vitest';
import { converse, playSeeds, requireHostile } from '../../testing/index.ts';
import type { ServerIdentify } from '../server-exchange.ts';

const SEEDS = Number(process.env['SRUP_SEEDS'] ?? 200);
const HOUR = 3_600_000;

describe('identification over a hostile network', () => {
  it(`is answered, and taken down once (${SEEDS} seeds)`, async () => {
    const totals = await playSeeds(SEEDS, async (seed) => {
      const talk = converse({ seed });
      const tokens = [talk.command({ kind: 'identify' }), talk.command({ kind: 'identify' })];
      const report = await talk.run(HOUR);
      for (const token of tokens) {
        expect(talk.exchange(token) as ServerIdentify).toMatchObject({
          phase: 'answered',
          identification: 'srup-agent/0.1.0 simulated',
        });
        expect(talk.server.end.state.records.filter((it) => it.token === token)).toHaveLength(1);
        expect(talk.device.end.state.finished[token]).toMatchObject({ kind: 'identify', result: 'answered' });
      }
      return report;
    });
    requireHostile(totals);
  });
});
