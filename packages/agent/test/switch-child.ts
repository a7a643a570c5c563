// Installs software and is killed, without warning, when a step of the switch is done. For install.test.ts.
// Arguments: folder, digest, token, step.
import { createPerformers } from '../src/run/performers.ts';
import { configOf } from './programs.ts';
import { surroundingsAt } from './surroundings.ts';

const [folder = '', digest = '', token = '', deadlyStep] = process.argv.slice(2);
const performers = createPerformers(surroundingsAt(folder, configOf(folder)), {
  onStep: (step) => {
    if (step === deadlyStep) process.kill(process.pid, 'SIGKILL');
  },
});
await performers.start();
await performers.install({ do: 'install', digest, token }, new AbortController().signal);
process.exitCode = 99; // still alive: the step never came
await performers.stop();
