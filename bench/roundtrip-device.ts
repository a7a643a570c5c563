/** The device of bench/roundtrip.ts: a real agent in its own process. Arguments: its configuration as JSON, its home. */
import { createActionTable, createPerformers, parseConfig, startAgent } from '@srup/agent';

const [config = '', home = ''] = process.argv.slice(2);
const actions = createActionTable();
actions.on(0x20, () => undefined);
const quiet = { debug: () => undefined, info: () => undefined, warn: console.error, error: console.error };
const agent = await startAgent({
  config: parseConfig(JSON.parse(config), 'the benchmark'),
  home,
  log: quiet,
  openPerformers: (surroundings) => createPerformers(surroundings, { actions }),
});
process.once('SIGTERM', () => void agent.stop());
