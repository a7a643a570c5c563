// `npm run faults`: kills agents, server and broker again and again under load, and shows what came of it.
import { parseArgs } from 'node:util';
import { BROKERS, canRun, type BrokerName } from '../support/brokers.ts';
import { newGround } from '../support/server.ts';
import { runCampaign } from './kills/campaign.ts';
import { countFindings, describe } from './kills/report.ts';

const USAGE = `npm run faults -- [--kills N] [--seed N] [--devices N] [--broker embedded|mosquitto]

  --kills    how many in all (default 1000): two thirds agents, a fifth the server, the rest the broker
  --seed     what is ordered and killed, and when; drawn unless told
  --devices  how many at a time (default 6)
  --broker   mosquitto (default, where it is installed): killed too; embedded: dies with the server

Exit code 1 when something was lost, doubled, bricked or is unknown.`;

const MINUTE_MS = 60_000;
/** Between two lines of progress where no terminal is. */
const TELL_MS = 30_000;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    devices: { type: 'string', default: '6' },
    broker: { type: 'string', default: canRun('mosquitto') ? 'mosquitto' : 'embedded' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const kills = Number(values.kills);
const broker = BROKERS.find((name) => name === values.broker);
if (values.help || broker === undefined || !Number.isInteger(kills)) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}
process.exitCode = await run(broker);

async function run(on: BrokerName): Promise<number> {
  const ground = await newGround();
  process.once('SIGINT', () => void ground.clear().finally(() => process.exit(130)));
  const began = performance.now();
  const [seed, devices] = [Number(values.seed), Number(values.devices)];
  console.log(`${kills} kills, ${devices} devices, broker ${on}, seed ${seed}\n`);
  const server = Math.round(kills / 5);
  const brokers = on === 'mosquitto' ? Math.round(kills * 0.15) : 0;
  let toldAt = began;
  const outcome = await runCampaign(ground, {
    ...{ broker: on, devices, seed },
    kills: { agent: kills - server - brokers, server, broker: brokers },
    onProgress: (now, all) => {
      const line = `${now.agent + now.server + now.broker} of ${all}: agent ${now.agent}, server ${now.server}, broker ${now.broker}`;
      if (process.stdout.isTTY) process.stdout.write(`\r${line} `);
      else if (performance.now() - toldAt > TELL_MS) {
        toldAt = performance.now();
        console.log(line);
      }
    },
  });
  console.log(`\n\n${describe(outcome)}`);
  console.log(`time      ${((performance.now() - began) / MINUTE_MS).toFixed(1)} minutes, seed ${seed}`);
  for (const { kind, device, what } of outcome.verdict.findings)
    console.error(`\n${kind} (${device}): ${what}`);
  await ground.clear();
  return Object.values(countFindings(outcome)).every((count) => count === 0) ? 0 : 1;
}
