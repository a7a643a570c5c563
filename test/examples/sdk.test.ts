import { join } from 'node:path';
import { expect } from 'vitest';
import { runExample } from './run.ts';
import { test } from '../support/fixtures.ts';
import { until } from '../support/wait.ts';

test('the greenhouse and its controller do what their README says', async ({ ground }) => {
  const controller = runExample(ground, 'sdk', process.execPath, [
    'controller.ts',
    join(ground.folder, 'server'),
  ]);
  const command = await until(
    'the command for the device is printed',
    () => /^node (device\.ts .+)$/m.exec(controller.said())?.[1],
  );
  const device = runExample(ground, 'sdk', process.execPath, [
    ...command.split(' '),
    join(ground.folder, 'device'),
  ]);
  const isDone = () => {
    const said = controller.said();
    return said.includes('"something else": ') && /^temperature = \d/m.test(said);
  };
  await until('all is done', isDone).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}\n${controller.said()}\n${device.said()}`);
  });
  const said = controller.said();
  expect(said).toContain('beacon: The device proved that it did it.');
  expect(said).toContain(
    '"plan: open the windows at noon": The device proved that it runs the new software.',
  );
  expect(said).toMatch(/"something else": .*went back to what ran before/);
  expect(device.said()).toContain('blinking');
});
