/**
 * A device in a process of its own: the real agent with its real performers, and points at which it kills itself, as
 * by kill -9. What it did is one line each in the file `effects`: nothing else is counted.
 *
 *   arguments: home folder, and optionally a point and its count
 *   stdin:     "arm <count> <point>": die when the point is reached for the count-th time; "arm": don't
 *   stdout:    "died at <point>" before it does
 */
import { appendFileSync, readFileSync, writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  createActionTable,
  createPerformers,
  homeAt,
  parseConfig,
  startAgent,
  type AgentConfigInput,
  type OpenPerformers,
} from '@srup/agent';
import { realDisk, type Disk } from '../../../packages/agent/src/vault/disk.ts';
import { createLog } from '../../../packages/cli/src/service/log.ts';
import { KNOWN_ACTIONS } from './points.ts';

flushCompileCache(); // who is killed keeps nothing at the end
const [home = '', point = '', count = '1'] = process.argv.slice(2);
let armed: { point: string; left: number } | undefined;
if (point !== '') armed = { point, left: Number(count) };

function reach(name: string): void {
  if (armed?.point !== name || --armed.left > 0) return;
  writeSync(1, `died at ${name}\n`);
  process.kill(process.pid, 'SIGKILL');
}

const effect = (line: string): void => {
  appendFileSync(join(home, 'effects'), `${line}\n`);
};

const disk: Disk = {
  read: realDisk.read,
  replace: async (path, data) => {
    reach('write begun');
    await realDisk.replace(path, data);
    reach('write done');
  },
  extend: async (path) => {
    const { append, close } = await realDisk.extend(path);
    return {
      append: async (data) => {
        reach('write begun');
        // At one go with the death: if it was called off between, a device that lives on would have a torn line within its journal.
        if (armed?.point === 'write torn' && armed.left === 1)
          appendFileSync(path, data.subarray(0, data.length / 2));
        reach('write torn');
        await append(data);
        reach('write done');
      },
      close,
    };
  },
};

/** Actions run one after another, so the one that runs now is known. */
let acting = '';
const actions = createActionTable();
for (const actionId of KNOWN_ACTIONS) {
  actions.on(actionId, () => {
    effect(`act ${acting}`);
    reach('act in effect');
  });
}

const openPerformers: OpenPerformers = (surroundings) => {
  const real = createPerformers(surroundings, {
    actions,
    onStep: (step) => {
      reach(step);
    },
    onProgress: () => {
      reach('fetch under way');
    },
  });
  async function around<T>(name: string, work: () => Promise<T>): Promise<T> {
    reach(`${name} begun`);
    const value = await work();
    reach(`${name} done`);
    return value;
  }
  return {
    ...real,
    fetch: (wanted, signal) => around('fetch', () => real.fetch(wanted, signal)),
    install: (order, signal) => around('install', () => real.install(order, signal)),
    act: (order, signal) =>
      around('act', () => {
        acting = order.token;
        return real.act(order, signal);
      }),
    deliver: (order, signal) =>
      around('deliver', () => {
        effect(`deliver ${order.token}`);
        return real.deliver(order, signal);
      }),
  };
};

const file = homeAt(home).config;
const agent = await startAgent({
  config: parseConfig(JSON.parse(readFileSync(file, 'utf8')) as AgentConfigInput, file),
  home,
  log: await createLog('agent', 'info', true),
  openPerformers,
  onEvent: (event) => {
    if (event.what === 'accepted') reach(`${event.type} taken`);
  },
  disk,
  mqtt: { backoff: { leastMs: 50, mostMs: 500 } },
  enrolmentBackoff: { leastMs: 100, mostMs: 500 },
});
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [, times = '', name] = /^arm (\d+) (.+)$/.exec(line) ?? [];
    armed = name === undefined ? undefined : { point: name, left: Number(times) };
  })
  .on('close', () => void agent.stop());
await agent.ended;
