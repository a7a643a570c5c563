// A server for greenhouses: node controller.ts [FOLDER]
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Controller } from '@srup/server';

const folder = process.argv[2] ?? './greenhouse-server';
const controller = await Controller.start({ folder, httpsPort: 0, mqttsPort: 0 });
controller.onData(({ dataId, value }) => {
  console.log(`${dataId} = ${value}`);
});
controller.onJoin(({ type }) => (type === 'greenhouse' ? 'accept' : 'refuse'));
controller.onEvent((event) => {
  if (event.kind !== 'device' || event.device.standing !== 'joined' || welcomed) return;
  welcomed = true;
  void welcome(event.device.id);
});
let welcomed = false;

async function welcome(device: string): Promise<void> {
  await controller.send(device, 'target', 24);
  console.log(`beacon: ${(await controller.action(device, 'beacon')).explanation}`);
  for (const text of ['plan: open the windows at noon', 'something else']) {
    const file = join(folder, 'plan.txt');
    await writeFile(file, text);
    console.log(`"${text}": ${(await controller.update(device, file)).explanation}`);
  }
}

const code = await controller.enrolmentCode('greenhouse');
console.log(`node device.ts ${controller.url} ${controller.caFingerprint} ${code}`);
process.once('SIGTERM', () => void controller.close().then(() => process.exit(0)));
