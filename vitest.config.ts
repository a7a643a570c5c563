import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { isMissing } from './scripts/system-programs.ts';

const SECOND = 1000;
/** Tests of the repository itself: they need no broker and no system program. */
const OF_THE_REPOSITORY = ['test/{order,words}/**/*.test.ts'];

/** Tests of the server that depend on its database: they run again on PostgreSQL. */
const ON_BOTH_DATABASES = [
  '{fleet,kill,retry,server,trouble}',
  'access/tokens',
  'artifacts/artifacts',
  'audit/{audit,callers,trail,witness}',
  'errands/{errands,restored}',
  'evidence/{messages,trim}',
  'http/{api,running}',
  'intake/{broker,candidate,echo}',
  'keyservice/{desk,directory,keyservice}',
  'metrics/metrics',
  'orders/orders',
  'peers/software',
  'turn/{outcome,sealed,write}',
].map((files) => `packages/server/src/${files}.test.ts`);
/** Tests of whole systems that run again on PostgreSQL: updates, ends and starts, the SDK, and kills of every part. */
const SYSTEMS_ON_BOTH = [
  'e2e/update',
  'operation/{again,restore,stop}',
  'sdk/controller',
  'faults/kills',
].map((files) => `test/${files}.test.ts`);
/** Where PostgreSQL is not installed, one test that is skipped stands for them. */
const INSTEAD = 'test/support/postgres-missing.test.ts';
const onPostgres = (files: string[]): string[] => (isMissing('postgres') ? [INSTEAD] : files);

export default defineConfig({
  test: {
    pool: 'forks',
    // Tests of whole systems wait for other processes much of the time: one more than there are processors.
    maxWorkers: availableParallelism() + 1,
    // Once for all projects.
    globalSetup: 'test/support/postgres-desk.ts',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // Loading the modules anew for each file would take as long as the tests.
          isolate: false,
          include: ['packages/*/src/**/*.test.ts', ...OF_THE_REPOSITORY],
          testTimeout: 20 * SECOND,
          hookTimeout: 20 * SECOND,
        },
      },
      {
        extends: true,
        test: {
          name: 'unit on postgres',
          isolate: false,
          include: onPostgres(ON_BOTH_DATABASES),
          env: { SRUP_TEST_DATABASE: 'postgres' },
          // Each statement waits for another process.
          testTimeout: 60 * SECOND,
          hookTimeout: 60 * SECOND,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: [...OF_THE_REPOSITORY, INSTEAD],
          globalSetup: 'test/support/made-server.ts',
          testTimeout: 120 * SECOND,
          hookTimeout: 120 * SECOND,
        },
      },
      {
        extends: true,
        test: {
          name: 'system on postgres',
          include: onPostgres(SYSTEMS_ON_BOTH),
          env: { SRUP_TEST_DATABASE: 'postgres' },
          testTimeout: 120 * SECOND,
          hookTimeout: 120 * SECOND,
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['packages/protocol/src/**/*.ts'],
      exclude: ['**/*.test.ts', 'packages/protocol/src/testing/**'],
      reporter: ['text', 'html'],
      thresholds: { lines: 95 },
    },
  },
});
