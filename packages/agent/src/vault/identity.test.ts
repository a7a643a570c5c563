import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { test } from '../../test/fixtures.ts';
import { homeAt } from '../ground/home.ts';
import { loadCredentials } from './identity.ts';

test('a file of the identity that a damaged disk has emptied or garbled is named, with what to do', async ({
  world,
}) => {
  const { agent } = await world.join();
  await agent.stop();
  const home = homeAt(world.home);
  await expect(loadCredentials(home)).resolves.toBeDefined();
  const names = await readdir(home.keys);
  expect(names).toHaveLength(8);
  for (const name of names) {
    const file = join(home.keys, name);
    const whole = await readFile(file, 'utf8');
    const garbled = whole.slice(0, 40) + '????' + whole.slice(44);
    for (const damaged of ['', garbled]) {
      await writeFile(file, damaged);
      await expect(loadCredentials(home), name).rejects.toMatchObject({
        name: 'AgentError',
        message: `the identity of this device is incomplete: what ${file} holds is damaged`,
        hint: expect.stringContaining('remove identity.json, keys and state') as string,
      });
    }
    await writeFile(file, whole);
  }
  await expect(loadCredentials(home)).resolves.toBeDefined();
});
