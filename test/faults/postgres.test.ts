import { describe, expect } from 'vitest';
import { isMissing } from '../../scripts/system-programs.ts';
import { test } from '../support/fixtures.ts';
import { runCampaign } from './kills/campaign.ts';
import { countFindings, describe as summary } from './kills/report.ts';

const MINUTE = 60_000;
const KILLS = 6;

describe.skipIf(isMissing('postgres'))('kill -9 of PostgreSQL under load', () => {
  test(
    'every order ends in a known state, has its effect once, and is proven; the audit trail holds',
    { timeout: 6 * MINUTE },
    async ({ ground }) => {
      const outcome = await runCampaign(ground, {
        ...{ broker: 'embedded', devices: 2, seed: 11 },
        kills: { agent: 0, server: 0, broker: 0, database: KILLS },
      });
      const said = outcome.verdict.findings.map(({ kind, what }) => `${kind}: ${what}`).join('\n');
      expect(countFindings(outcome), `${summary(outcome)}\n${said}`).toEqual({
        ...{ lost: 0, doubled: 0, bricked: 0, unknown: 0 },
      });
      expect(outcome.kills.database).toBe(KILLS);
      expect(outcome.verdict.commands).toBeGreaterThan(0);
    },
  );
});
