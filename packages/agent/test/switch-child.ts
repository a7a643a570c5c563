// Installs software and is killed, without warning, when a step of the switch is done, or by what it runs. For
// install.test.ts and command-installer.test.ts. Arguments: folder, digest, token, step, configuration as JSON.
import type { AgentConfigInput } from '../src/config/config.ts';
import { createPerformers } from '../src/performers/performers.ts';
import { configOf } from './programs.ts';
import { surroundingsAt } from './surroundings.ts';

const [folder = '', digest = '', token = '', deadlyStep, configured] = process.argv.slice(2);
const config = configured === undefined ? configOf(folder) : (JSON.parse(configured) as AgentConfigInput);
const performers = createPerformers(surroundingsAt(folder, config), {
  onStep: (step) => {
    if (step === deadlyStep) process.kill(process.pid, 'SIGKILL');
  },
});
await performers.start();
await performers.install({ do: 'install', digest, token }, new AbortController().signal);
process.exitCode = 99; // still alive: the step never came
await performers.stop();
