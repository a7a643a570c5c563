/**
 * `npm run bench:fleet [-- --devices 1000,5000 --suites ed25519,rsa-sha256 --databases sqlite,postgres --json --profile]`:
 * a simulated fleet joins a new server and is updated. Server and fleet are two processes, with real TLS, registration, signatures and downloads.
 * `--profile` also shows where the server spends its time.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAgent, measureStart, type StartFigures } from './fleet/start.ts';
import { runFleet, type DatabaseName, type FleetFigures } from './fleet/run.ts';
import { formatFleet, formatStart } from './fleet/report.ts';

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '1000,5000' },
    suites: { type: 'string', default: 'ed25519,rsa-sha256' },
    databases: { type: 'string', default: 'sqlite' },
    json: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});

const folder = await mkdtemp(join(tmpdir(), 'srup-bench-fleet-'));
const machine = `${availableParallelism()} processors (${cpus()[0]?.model.trim() ?? 'unknown'}), node ${process.version}`;
if (!values.json) console.log(`${machine}\n`);
try {
  const start: StartFigures = {
    ...(await measureStart(join(folder, 'start'))),
    ...(await measureAgent(join(folder, 'agent'))),
  };
  if (!values.json) console.log(formatStart(start));
  const fleets: FleetFigures[] = [];
  for (const devices of values.devices.split(',').map(Number)) {
    // One after the other, so that what else the machine does meets both alike.
    for (const suite of values.suites.split(',')) {
      for (const database of values.databases.split(',') as DatabaseName[]) {
        const place = join(folder, `${database}-${suite}-${devices}`);
        const figures = await runFleet(place, { suite, database, devices }, values.profile);
        fleets.push(figures);
        if (!values.json) console.log(formatFleet(figures));
      }
    }
  }
  if (values.json) console.log(JSON.stringify({ machine, start, fleets }, undefined, 2));
} finally {
  await rm(folder, { recursive: true, force: true });
}
