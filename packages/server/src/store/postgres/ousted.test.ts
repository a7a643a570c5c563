/** What a server says whose database another one has taken, or that went back in time. */
import fastify from 'fastify';
import { Client } from 'pg';
import { describe, expect } from 'vitest';
import { realDelay, systemClock } from '@srup/node';
import { until } from '@srup/node/testing';
import { isMissing } from '../../../../../scripts/system-programs.ts';
import { postgresFor } from '../../../../../test/support/postgres-for.ts';
import { test as base } from '../../../test/fixtures.ts';
import type { WorldOptions } from '../../../test/fleet/world.ts';
import { placeAt } from '../../../test/postgres.ts';
import { installErrorForms } from '../../http/errors.ts';
import { createReadiness } from '../../metrics/readiness.ts';
import { writeSetting } from '../settings.ts';
import { coreMigrations } from '../schema/migrations.ts';
import type { CoreTables } from '../schema/tables.ts';
import { openPostgres } from './open.ts';

const test = base
  .extend('url', ({ task: _ }, { onCleanup }): Promise<string> => postgresFor(onCleanup))
  .extend('told', (): string[] => [])
  .extend('worldOptions', ({ url, told }): Partial<WorldOptions> => ({
    openStore: (options) =>
      openPostgres<CoreTables>(placeAt(url), coreMigrations, {
        ...options,
        tell: (what) => told.push(what),
      }),
  }));

describe.skipIf(isMissing('postgres'))('after the database was lost for good', () => {
  test.for([
    ['another server had it', "set owner = 'another'", 'another server has used the database'],
    ['it went back in time', 'set turn = 0', 'has lost'],
  ] as const)(
    '(%s) everybody learns of it, and nobody looks at the disk for it',
    async ([, change, words], { url, told, world, joined, onTestFinished }) => {
      const client = new Client({ connectionString: url });
      await client.connect();
      // One transaction: what the server commits meanwhile waits for it, and meets its end.
      await client.query(
        `update srup.writer ${change};
         select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name = 'srup: writes'`,
      );
      await client.end();
      await until('it knows', () => told.some((what) => what.includes(words)));
      const { store, fleet } = world;

      const [receipt] = await fleet.command([joined.text], { kind: 'identify' });
      const readiness = createReadiness({
        ...{ store, clock: systemClock, delay: realDelay, isConnected: () => true },
        failedAt: () => undefined,
        askKeyService: async () => undefined,
      });
      const app = fastify();
      onTestFinished(() => app.close());
      installErrorForms(app);
      app.get('/', () => store.commit((write) => writeSetting(write, 'readiness', '1')));
      const answer = await app.inject('/');

      expect(answer.statusCode).toBe(503);
      const said = [JSON.stringify(receipt), (await readiness()).join(), answer.body];
      for (const one of said) {
        expect(one).toMatch(/another server uses the database now, or it went back in time.*takes nothing/);
        expect(one).toMatch(/log says what to do/);
        expect(one).not.toMatch(/disk/);
      }
    },
  );
});
