// `npm run faults`: kills agents, server and broker again and again under load, and shows what came of it.
import { parseArgs } from 'node:util';
import { BROKERS, canRun, type BrokerName } from '../support/brokers.ts';
import { newGround } from '../support/server.ts';
import { addUp, runCampaign, type Kills } from './kills/campaign.ts';
import { countFindings, describe } from './kills/report.ts';
import { runPowerCuts } from './power/run.ts';

const USAGE = `npm run faults -- [--kills N] [--cuts N] [--seed N] [--sites N] [--devices N] [--broker embedded|mosquitto] [--databases N]

  --kills    how many in all (default 1000): two thirds agents, a fifth the server, the rest the broker
  --cuts     power cuts of a device, with writes torn and lost (default 5000); one in a hundred is started on
  --seed     what is ordered and killed, and when (default: random)
  --sites    servers with a broker of their own, side by side (default 4)
  --devices  of each site (default 3)
  --broker   mosquitto (default, where it is installed): killed too; embedded: dies with the server

  --databases  kills of PostgreSQL, beside the others (default 0: servers use SQLite)

Exit code 1 when something was lost, doubled, bricked or is unknown.`;

/** Power cuts after which the whole agent is started. */
const STARTS_ONE_IN = 100;
/** Between the seeds of two sites, whose devices have one each. */
const SEEDS_APART = 1000;
const MINUTE_MS = 60_000;
/** Between two lines of progress where no terminal is. */
const TELL_MS = 30_000;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    cuts: { type: 'string', default: '5000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    sites: { type: 'string', default: '4' },
    devices: { type: 'string', default: '3' },
    broker: { type: 'string', default: canRun('mosquitto') ? 'mosquitto' : 'embedded' },
    databases: { type: 'string', default: '0' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const kills = Number(values.kills);
const broker = BROKERS.find((name) => name === values.broker);
if (values.help || broker === undefined || !Number.isInteger(kills)) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}
const sites = Number(values.sites);
const grounds = await Promise.all(Array.from({ length: sites }, newGround));
const clear = () => Promise.all(grounds.map((ground) => ground.clear()));
process.once('SIGINT', () => void clear().finally(() => process.exit(130)));
try {
  process.exitCode = await run(broker);
} finally {
  await clear();
}

async function run(on: BrokerName): Promise<number> {
  const began = performance.now();
  const [seed, devices] = [Number(values.seed), Number(values.devices)];
  console.log(`${kills} kills, ${sites} sites with ${devices} devices each, broker ${on}, seed ${seed}\n`);
  const server = Math.round(kills / 5);
  const brokers = on === 'mosquitto' ? Math.round(kills * 0.15) : 0;
  const wanted = {
    agent: kills - server - brokers,
    server,
    broker: brokers,
    database: Number(values.databases),
  };
  const tell = progressTeller();
  const outcomes = await Promise.all(
    grounds.map((ground, n) =>
      runCampaign(ground, {
        ...{ broker: on, devices, seed: seed + n * SEEDS_APART, kills: share(wanted) },
        onProgress: (now) => {
          tell(n, now);
        },
      }),
    ),
  );
  const outcome = addUp(outcomes);
  console.log(`\n\n${describe(outcome)}`);
  console.log(`time      ${((performance.now() - began) / MINUTE_MS).toFixed(1)} minutes, seed ${seed}`);
  for (const { kind, device, what } of outcome.verdict.findings)
    console.error(`\n${kind} (${device}): ${what}`);
  const areWhole = await cutPower(seed, Number(values.cuts));
  return areWhole && Object.values(countFindings(outcome)).every((count) => count === 0) ? 0 : 1;
}

/** The kills of one site. */
function share(all: Kills): Kills {
  const of = (count: number) => Math.ceil(count / sites);
  return { agent: of(all.agent), server: of(all.server), broker: of(all.broker), database: of(all.database) };
}

function progressTeller(): (site: number, now: Readonly<Kills>) => void {
  const each = new Map<number, Readonly<Kills>>();
  let toldAt = performance.now();
  return (site, now) => {
    each.set(site, now);
    const sum = (what: keyof Kills) => [...each.values()].reduce((all, one) => all + one[what], 0);
    const [agent, server, brokers, databases] = [sum('agent'), sum('server'), sum('broker'), sum('database')];
    const line = `${agent + server + brokers + databases} kills: agent ${agent}, server ${server}, broker ${brokers}, database ${databases}`;
    if (process.stdout.isTTY) process.stdout.write(`\r${line} `);
    else if (performance.now() - toldAt > TELL_MS) {
      toldAt = performance.now();
      console.log(line);
    }
  };
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
