// `npm run faults`: kills agents, server and broker again and again under load, and shows what came of it.
import { parseArgs } from 'node:util';
import { BROKERS, canRun, type BrokerName } from '../support/brokers.ts';
import { newGround } from '../support/server.ts';
import { runCampaign } from './kills/campaign.ts';
import { countFindings, describe } from './kills/report.ts';
import { runPowerCuts } from './power/run.ts';

const USAGE = `npm run faults -- [--kills N] [--cuts N] [--seed N] [--devices N] [--broker embedded|mosquitto]

  --kills    how many in all (default 1000): two thirds agents, a fifth the server, the rest the broker
  --cuts     power cuts of a device, with writes torn and lost (default 5000); one in a hundred is started on
  --seed     what is ordered and killed, and when; drawn unless told
  --devices  how many at a time (default 6)
  --broker   mosquitto (default, where it is installed): killed too; embedded: dies with the server

Exit code 1 when something was lost, doubled, bricked or is unknown.`;

/** Power cuts after which the whole agent is started. */
const STARTS_ONE_IN = 100;
const MINUTE_MS = 60_000;
/** Between two lines of progress where no terminal is. */
const TELL_MS = 30_000;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    cuts: { type: 'string', default: '5000' },
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
const ground = await newGround();
process.once('SIGINT', () => void ground.clear().finally(() => process.exit(130)));
try {
  process.exitCode = await run(broker);
} finally {
  await ground.clear();
}

async function run(on: BrokerName): Promise<number> {
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
  const areWhole = await cutPower(seed, Number(values.cuts));
  return areWhole && Object.values(countFindings(outcome)).every((count) => count === 0) ? 0 : 1;
}

async function cutPower(seed: number, cuts: number): Promise<boolean> {
  if (cuts === 0) return true;
  const { operations, starts, faults } = await runPowerCuts(seed, cuts, Math.ceil(cuts / STARTS_ONE_IN));
  console.log(`
cuts      ${cuts}, before each of the ${operations} writes, names and syncs of a device's life; started on ${starts}
faults    ${faults.length}`);
  for (const { at, seed: its, what } of faults) console.error(`cut at ${at}, seed ${its}: ${what}`);
  return faults.length === 0;
}
