/** What tests of the agent stand on. A test names what it wants; it is closed and removed afterwards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base } from 'vitest';
import { makeLog } from './log.ts';
import { makeWorld, type World } from './world.ts';

export interface Fixtures {
  /** An empty folder of the test's own. */
  readonly folder: string;
  /** A log that the test can read. */
  readonly log: ReturnType<typeof makeLog>;
  /** Everything around an agent, real. */
  readonly world: World;
  /** Steps for the end of the test; the last one comes first. */
  readonly later: (step: () => unknown) => void;
}

/**
 * `test` with these fixtures.
 *
 * @example
 * test('a device joins', async ({ world }) => {
 *   const { agent } = await world.join();
 * });
 */
export const test = base.extend<Fixtures>({
  folder: async ({ task }, use) => {
    const folder = await mkdtemp(join(tmpdir(), `srup-agent-${task.id}-`));
    await use(folder);
    await rm(folder, { recursive: true, force: true });
  },
  log: async ({ task: _task }, use) => use(makeLog()),
  world: async ({ task: _task }, use) => {
    const world = await makeWorld();
    await use(world);
    await world.close();
  },
  // It uses `folder`, so that the steps come before its end.
  later: async ({ folder: _folder }, use) => {
    const steps: (() => unknown)[] = [];
    await use((step) => steps.push(step));
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) await step();
  },
});
