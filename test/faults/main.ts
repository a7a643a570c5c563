// `npm run faults`: kills agents, server, broker and database again and again under load, and shows what came of it.
import { parseArgs } from 'node:util';
import { BROKERS, canRun, type BrokerName } from '../support/brokers.ts';
import { newGround } from '../support/server.ts';
import { addUp, runCampaign, type Kills } from './kills/campaign.ts';
import { countFindings, describe } from './kills/report.ts';
import { DATABASES, type DatabaseName } from './kills/site.ts';
import { runPowerCuts } from './power/run.ts';

const USAGE = `npm run faults -- [--kills N] [--cuts N] [--seed N] [--sites N] [--devices N] [--broker embedded|mosquitto]
  [--database sqlite|postgres]

  --kills    how many in all (default 1000): a fifth the server, 15 % the broker, 15 % the database, the rest agents
  --cuts     power cuts of a device, with writes torn and lost (default 5000); one in a hundred is started on
  --seed     what is ordered and killed, and when (default: random)
  --sites    servers with a broker of their own, side by side (default 4)
  --devices  of each site (default 3)
  --broker   mosquitto (default, where it is installed): killed too; embedded: dies with the server
  --database postgres: killed too; sqlite (default): dies with the server

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
    database: { type: 'string', default: 'sqlite' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const kills = Number(values.kills);
const broker = BROKERS.find((name) => name === values.broker);
const database = DATABASES.find((name) => name === values.database);
if (values.help || broker === undefined || database === undefined || !Number.isInteger(kills)) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}
const sites = Number(values.sites);
const grounds = await Promise.all(Array.from({ length: sites }, newGround));
const clear = () => Promise.all(grounds.map((ground) => ground.clear()));
process.once('SIGINT', () => void clear().finally(() => process.exit(130)));
try {
  process.exitCode = await run(broker, database);
} finally {
  await clear();
}

async function run(on: BrokerName, database: DatabaseName): Promise<number> {
  const began = performance.now();
  const [seed, devices] = [Number(values.seed), Number(values.devices)];
  console.log(
    `${kills} kills, ${sites} sites with ${devices} devices each, broker ${on}, database ${database}, seed ${seed}\n`,
  );
  const server = Math.round(kills / 5);
  const brokers = on === 'mosquitto' ? Math.round(kills * 0.15) : 0;
  const databases = database === 'postgres' ? Math.round(kills * 0.15) : 0;
  const agent = kills - server - brokers - databases;
  const wanted = { agent, server, broker: brokers, database: databases };
  const tell = progressTeller();
  const outcomes = await Promise.all(
    grounds.map((ground, n) =>
      runCampaign(ground, {
        ...{ broker: on, database, devices, seed: seed + n * SEEDS_APART, kills: share(wanted) },
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
  return {
    agent: of(all.agent),
    server: of(all.server),
    broker: of(all.broker),
    database: of(all.database),
  };
}

function progressTeller(): (site: number, now: Readonly<Kills>) => void {
  const each = new Map<number, Readonly<Kills>>();
  let toldAt = performance.now();
  return (site, now) => {
    each.set(site, now);
    const sum = (what: keyof Kills) => [...each.values()].reduce((all, one) => all + one[what], 0);
    const sums = (['agent', 'server', 'broker', 'database'] as const).map(
      (what) => [what, sum(what)] as const,
    );
    const done = sums.reduce((all, [, count]) => all + count, 0);
    const line = `${done} of ${kills}: ${sums.map((one) => one.join(' ')).join(', ')}`;
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
