import { defineConfig } from 'vitest/config';

const SECOND = 1000;

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts'],
          testTimeout: 20 * SECOND,
          hookTimeout: 20 * SECOND,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
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
