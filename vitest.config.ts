import { defineConfig } from 'vitest/config';

const SECOND = 1000;
/** Tests of the repository itself: they need no broker and no system program. */
const OF_THE_REPOSITORY = ['test/{order,words}/**/*.test.ts'];

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', ...OF_THE_REPOSITORY],
          testTimeout: 20 * SECOND,
          hookTimeout: 20 * SECOND,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: OF_THE_REPOSITORY,
          globalSetup: 'test/support/made-server.ts',
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
