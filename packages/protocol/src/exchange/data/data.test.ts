import { describe, expect, it } from 'vitest';
import { converse, PEACEFUL, playSeeds, requireHostile, type Conversation } from '../../testing/index.ts';
import { encodeText } from '../../wire/text.ts';
import { tokenOfKey } from '../../token.ts';
import type { ServerData } from '../server-exchange.ts';

const SEEDS = Number(process.env['SRUP_SEEDS'] ?? 200);
const HOUR = 3_600_000;
const KNOWN = ['temperature', 'mode'];
const IDS = [...KNOWN, 'nonsense'];

function talkOf(seed: number, hostility?: typeof PEACEFUL): Conversation {
  const isKnown = (dataId: string) => KNOWN.includes(dataId);
  return converse({
    seed,
    ...(hostility && { hostility }),
    policy: { takesData: isKnown },
    fate: { deliver: (dataId) => (isKnown(dataId) ? 'taken' : 'unknown') },
  });
}

/** DATA both ways; gives the tokens of each. */
function exchangeData(talk: Conversation): { down: string[]; up: { token: string; dataId: string }[] } {
  const down = Array.from({ length: 4 }, () => {
    const body = { dataId: talk.random.pick(IDS), data: talk.random.bytes(talk.random.below(40)) };
    const token = talk.command({ kind: 'data', ...body });
    // Ours does not, but another server may send its DATA again (P 5.4).
    const effects = [{ do: 'send', draft: { type: 'DATA', token: tokenOfKey(token), body } } as const];
    talk.timeline.after(70_000, () => talk.server.end.input((state) => ({ state, effects })));
    return token;
  });
  const up = Array.from({ length: 4 }, (_, n) => {
    const report = { token: talk.newToken(), dataId: talk.random.pick(IDS), data: encodeText(String(n)) };
    // A program may say a thing again when it does not know whether it was heard.
    for (const ms of [n * 5_000, n * 9_000, 60_000]) {
      talk.timeline.after(ms, () => talk.device.input({ on: 'report', ...report }));
    }
    return report;
  });
  return { down, up };
}

describe('DATA over a hostile network', () => {
  it(`is delivered and recorded at most once a token, both ways (${SEEDS} seeds)`, async () => {
    let delivered = 0;
    let recorded = 0;
    const totals = await playSeeds(SEEDS, async (seed) => {
      const talk = talkOf(seed);
      const { down, up } = exchangeData(talk);
      const report = await talk.run(HOUR);
      const { deliveries } = talk.device.world;
      const { finished } = talk.device.end.state;
      for (const token of down) {
        const theirs = talk.exchange(token) as ServerData;
        if (theirs.phase === 'unknown') expect(finished[token]?.result).toBe('unknown');
        if (deliveries.has(token)) expect(finished[token]).toMatchObject({ kind: 'data' });
        delivered += deliveries.get(token) ?? 0;
      }
      for (const { token, dataId } of up) {
        const theirs = talk.exchange(token) as ServerData | undefined;
        const records = talk.server.end.state.records.filter((it) => it.token === token);
        expect(records.length).toBe(theirs?.phase === 'received' ? 1 : 0);
        if (theirs !== undefined) expect(theirs.phase).toBe(KNOWN.includes(dataId) ? 'received' : 'unknown');
        recorded += records.length;
      }
      return report;
    });
    requireHostile(totals);
    expect(delivered).toBeGreaterThan(SEEDS);
    expect(recorded).toBeGreaterThan(SEEDS);
  });

  it('all arrives over a network that does no harm', async () => {
    await playSeeds(20, async (seed) => {
      const talk = talkOf(seed, PEACEFUL);
      const { down, up } = exchangeData(talk);
      const report = await talk.run(HOUR);
      for (const token of down) {
        expect(talk.device.world.deliveries.get(token)).toBe(1);
        const { phase, dataId } = talk.exchange(token) as ServerData;
        expect(phase).toBe(KNOWN.includes(dataId) ? 'sent' : 'unknown');
      }
      for (const { token } of up) expect(talk.exchange(token)?.kind).toBe('data');
      return report;
    });
  });
});
