import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { homeAt } from '@srup/agent';
import type { Recording } from './scenario.ts';

/** Above all that the server has ever said; each start goes on from there. */
let sequence = 100_000n;

/** The whole agent starts on what is left, gets in again, and obeys. */
export async function startOn(folder: string, { world, config, openPerformers }: Recording): Promise<void> {
  const { c2 } = world;
  const { agent } = await world.start({ openPerformers, home: folder }, config);
  try {
    await Promise.race([work(), agent.ended.then(() => Promise.reject(new Error('the agent ended')))]);
  } finally {
    await agent.stop();
  }

  async function work(): Promise<void> {
    let known: string | undefined;
    await until(async () => {
      const { phase, id, connected } = agent.status();
      if (phase === 'unregistered') await agent.join(); // it left, as it was told
      if (id !== undefined && id !== known) {
        known = id;
        await c2.meet(id, await readFile(join(homeAt(folder).keys, 'signing.pub.pem'), 'utf8'));
      }
      const asks = c2.heard.filter(({ message }) => message.type === 'JOIN_REQ');
      if (phase === 'asking' && asks.length > 0)
        await c2.say('RESPONSE', { status: 0x50 }, { token: asks.at(-1)!.token, sequence: sequence++ });
      return connected && phase === 'joined';
    });
    const token = await c2.say('ACTION', { actionId: 6 }, { sequence: sequence++ });
    const answer = await c2.hear('RESPONSE', token);
    if (answer.message.body.status !== 0x20) throw new Error(`answered ${answer.message.body.status}`);
    const { program } = agent.status().software;
    if (program !== 'running') throw new Error(`its program is ${program}`);
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('it does not get in again');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
