import { expect } from 'vitest';
import { databaseKind } from '../../packages/server/test/database.ts';
import { runCampaign } from './kills/campaign.ts';
import { POINTS } from './kills/points.ts';
import { countFindings, describe as summary } from './kills/report.ts';
import { onEachBroker, test } from '../support/fixtures.ts';

const MINUTE = 60_000;

onEachBroker('kill -9 under load', (broker) => {
  const isExternal = broker === 'mosquitto';
  const database = databaseKind();
  const kills = {
    agent: isExternal ? POINTS.length : 1,
    server: isExternal ? 1 : 2,
    broker: isExternal ? 2 : 0,
    database: database === 'postgres' ? 3 : 0,
  };

  test(
    'every order ends in a known state, has its effect once, and is proven',
    { timeout: 6 * MINUTE },
    async ({ ground }) => {
      const outcome = await runCampaign(ground, {
        ...{ broker, database, kills, devices: isExternal ? 4 : 2, seed: 7, everyPoint: isExternal },
      });
      const said = outcome.verdict.findings.map(({ kind, what }) => `${kind}: ${what}`).join('\n');
      expect(countFindings(outcome), `${summary(outcome)}\n${said}`).toEqual({
        ...{ lost: 0, doubled: 0, bricked: 0, unknown: 0 },
      });
      expect(outcome.kills.server).toBe(kills.server);
      expect(outcome.kills.broker).toBe(kills.broker);
      expect(outcome.kills.database).toBe(kills.database);
      expect(outcome.verdict.commands).toBeGreaterThan(0);
      if (isExternal)
        expect(POINTS.map(({ name }) => name).filter((name) => !outcome.places.has(name))).toEqual([]);
      if (isExternal) expect(outcome.heardOnTheWire).toBeGreaterThan(outcome.verdict.verified / 2);
    },
  );
});
