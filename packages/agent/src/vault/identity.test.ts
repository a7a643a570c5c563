import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeWorld, type World } from '../../test/world.ts';
import { homeAt } from '../ground/home.ts';
import { loadCredentials } from './identity.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => {
  await world.close();
});

test('a file of the identity that a damaged disk has emptied or garbled is named, with what to do', async () => {
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
