import { describe, expect, it } from 'vitest';
import { converse, playSeeds, requireHostile } from '../../testing/index.ts';
import type { ServerLeave } from '../server-exchange.ts';

const SEEDS = Number(process.env['SRUP_SEEDS'] ?? 200);
const HOUR = 3_600_000;

const STANDING = { resign: 'resigned', terminate: 'terminated', deregister: 'deregistered' } as const;
const IDENTITY = { resign: 'keep', terminate: 'keep', deregister: 'drop' } as const;

describe('leaving over a hostile network', () => {
  it(`asked for by the device ends the same at both ends (${SEEDS} seeds)`, async () => {
    const totals = await playSeeds(SEEDS, async (seed) => {
      const what = seed % 2 === 0 ? 'resign' : 'deregister';
      const talk = converse({ seed });
      const token = talk.newToken();
      talk.insist(
        () => token in talk.device.end.state.open || token in talk.device.end.state.finished,
        () => talk.device.input({ on: 'leave', token, what }),
      );
      const report = await talk.run(HOUR);
      expect(talk.device.end.state.join).toEqual({ phase: 'left', attempts: 0, identity: IDENTITY[what] });
      expect(talk.device.end.state.finished[token]).toMatchObject({ kind: 'leave', result: 'left' });
      expect(talk.device.world.identity).toBe(IDENTITY[what]);
      expect(talk.exchange(token) as ServerLeave).toMatchObject({ phase: 'left', what, by: 'device' });
      expect(talk.server.end.state.standing).toBe(STANDING[what]);
      return report;
    });
    requireHostile(totals);
  });

  it(`commanded by the server ends the same at both ends (${SEEDS} seeds)`, async () => {
    const totals = await playSeeds(SEEDS, async (seed) => {
      const what = seed % 2 === 0 ? 'terminate' : 'deregister';
      const talk = converse({ seed });
      const token = talk.command({ kind: what });
      const report = await talk.run(HOUR);
      expect(talk.device.end.state.join).toEqual({ phase: 'left', attempts: 0, identity: IDENTITY[what] });
      expect(talk.device.world.identity).toBe(IDENTITY[what]);
      expect(talk.exchange(token) as ServerLeave).toMatchObject({ phase: 'left', what, by: 'server' });
      expect(talk.server.end.state.standing).toBe(STANDING[what]);
      const stands = talk.server.end.state.records.map(({ detail }) => detail);
      expect(stands).toEqual(what === 'terminate' ? ['terminated'] : ['terminated', 'deregistered']);
      return report;
    });
    requireHostile(totals);
  });
});
