/**
 * An agent with its real performers in a process of its own, which dies as by kill -9 at a step of action 09, for
 * erasure.test.ts. Arguments: home, configuration as JSON, step.
 */
import { silentLog } from '@srup/node';
import { createActionTable } from '../src/act/actions.ts';
import { startAgent } from '../src/agent.ts';
import { parseConfig, type AgentConfigInput } from '../src/config/config.ts';
import type { OpenPerformers } from '../src/performers/surroundings.ts';
import { createPerformers } from '../src/performers/performers.ts';

const [home = '', config = '', deadly] = process.argv.slice(2);

function reach(step: 'owed' | 'answered' | 'identity forgotten'): void {
  if (step === deadly) process.kill(process.pid, 'SIGKILL');
}

const actions = createActionTable();
// The device's own part: it comes after the identity and before the software.
actions.on(0x09, () => {
  reach('identity forgotten');
});
actions.on(0x40, () => undefined);

const openPerformers: OpenPerformers = (surroundings) =>
  createPerformers(
    {
      ...surroundings,
      oweErasure: async () => {
        await surroundings.oweErasure();
        reach('owed');
      },
      beginErasure: () => {
        reach('answered');
        surroundings.beginErasure();
      },
    },
    { actions },
  );

await startAgent({
  config: parseConfig(JSON.parse(config) as AgentConfigInput, 'test'),
  home,
  log: silentLog,
  openPerformers,
  mqtt: { backoff: { leastMs: 10, mostMs: 50 } },
});
