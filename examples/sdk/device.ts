// A greenhouse as a managed device. Start controller.ts first: it prints the command that starts this program.
import { Device } from '@srup/agent';

const [url = '', caFingerprint = '', enrolmentCode = '', home = './greenhouse-device'] =
  process.argv.slice(2);
let target = 20;
let temperature = 18;
let plan = 'the plan it was built with';

const device = new Device({ home, url, caFingerprint, enrolmentCode, type: 'greenhouse' });
device.onAction('beacon', () => {
  console.log('blinking');
});
device.onData('target', (value) => {
  target = Number(value);
});
device.onUpdate(async ({ path }) => {
  const { readFile } = await import('node:fs/promises');
  plan = await readFile(path, 'utf8');
  if (!plan.startsWith('plan:')) throw new Error('this is not a plan for a greenhouse');
});
await device.start();
setInterval(() => {
  temperature += (target - temperature) / 4;
  void device.send('temperature', temperature);
}, 1_000);
process.once('SIGTERM', () => void device.stop().then(() => process.exit(0)));
await device.joined;
console.log(`joined; follows ${plan}`);
