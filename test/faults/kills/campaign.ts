/** Orders and kills: devices at named points and at random instants; server, broker and database while orders are open. */
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom, type SeededRandom } from '@srup/protocol/testing';
import type { BrokerName } from '../../support/brokers.ts';
import type { Ground } from '../../support/server.ts';
import { until } from '../../support/wait.ts';
import { auditDevice, type Finding, type Verdict } from './audit.ts';
import { openDevice, type VictimDevice } from './fleet.ts';
import { openOrders, type Orders } from './orders.ts';
import { drawWrite, POINTS, type Point } from './points.ts';
import { writeVersions, type Version } from './programs.ts';
import { openSite, type DatabaseName, type VictimSite } from './site.ts';

export interface CampaignPlan {
  readonly broker: BrokerName;
  readonly database: DatabaseName;
  readonly devices: number;
  readonly seed: number;
  readonly kills: Readonly<Kills>;
  /** Continues until agents died at every named point, even if that takes more kills. */
  readonly everyPoint?: boolean;
  /** Called now and then with the progress, for people. */
  readonly onProgress?: (kills: Readonly<Kills>) => void;
}

export interface Kills {
  agent: number;
  server: number;
  broker: number;
  database: number;
}

export interface Outcome {
  readonly kills: Readonly<Kills>;
  /** Where agents died, and how often. */
  readonly places: ReadonlyMap<string, number>;
  readonly verdict: Verdict;
  readonly heardOnTheWire: number | undefined;
}

/** Longer than all retries and timeouts of an order: what is still open then is stuck. */
const SETTLE_MS = 8 * 60_000;
/** A random instant lies within this, counted from the orders. */
const INSTANTS_MS = 2_500;
/** Shares of the kills of agents: at named points, and at a write of the state; the others are at random instants. */
const SHARE_POINTS = 0.45;
const SHARE_WRITES = 0.2;
/** The share of devices that die again while they recover. */
const SHARE_AGAIN = 0.2;

/** Victims that all devices share. */
const OTHERS = ['server', 'broker', 'database'] as const;

type Job =
  | { readonly kill: 'point'; readonly point: Point }
  | { readonly kill: 'write' }
  | { readonly kill: 'instant' };

export async function runCampaign(ground: Ground, plan: CampaignPlan): Promise<Outcome> {
  const random = seededRandom(plan.seed);
  const [factory, ...versions] = await writeVersions(ground);
  const site = await openSite(ground, plan, random);
  const orders = await openOrders(site, versions);
  const devices = await Promise.all(
    Array.from({ length: plan.devices }, (_, n) => openDevice(ground, site, `device-${n + 1}`, factory.path)),
  );
  for (const device of devices) await orders.untilJoined(device);

  const findings: Finding[] = [];
  const kills: Kills = { agent: 0, server: 0, broker: 0, database: 0 };
  const tell = () => plan.onProgress?.(kills);
  const jobs = drawJobs(random, plan.kills.agent, plan.everyPoint === true);
  let busy = 0;
  const areAgentsDone = () =>
    kills.agent >= plan.kills.agent && (plan.everyPoint !== true || jobs.length + busy === 0);
  const isDone = () => areAgentsDone() && OTHERS.every((what) => kills[what] >= plan.kills[what]);

  async function work(device: VictimDevice, own: SeededRandom): Promise<void> {
    while (!isDone()) {
      const job = areAgentsDone() ? undefined : jobs.shift();
      if (job !== undefined) busy += 1;
      const before = device.deaths.length;
      await cycle(device, job, { orders, random: own, versions, findings });
      const deaths = device.deaths.slice(before);
      if (job !== undefined) {
        busy -= 1;
        if (!isReached(job, deaths)) jobs.push(job); // another time
      }
      kills.agent += deaths.length;
      tell();
    }
  }
  async function killNow(
    what: (typeof OTHERS)[number],
    kill: (() => Promise<void>) | undefined,
  ): Promise<void> {
    while (kill !== undefined && kills[what] < plan.kills[what]) {
      await pause(random.below(INSTANTS_MS));
      // Kills of each kind are spread evenly over the others: a broker that dies all the time is another test.
      const isTurn = () =>
        areAgentsDone() || kills[what] / plan.kills[what] <= kills.agent / plan.kills.agent;
      await until('orders are open', () => (orders.areOpen() && isTurn()) || isDone(), SETTLE_MS);
      await kill();
      kills[what] += 1;
      tell();
    }
  }

  await Promise.all([
    ...devices.map((device, n) => work(device, seededRandom(plan.seed + n + 1))),
    killNow('server', site.killServer),
    killNow('broker', site.killBroker),
    killNow('database', site.killDatabase),
  ]);
  return judge(site, orders, devices, versions, kills, findings);
}

/** Every point as often as any other, in a mixed order. */
function drawJobs(random: SeededRandom, count: number, everyPoint: boolean): Job[] {
  const points = Math.max(Math.round(count * SHARE_POINTS), everyPoint ? POINTS.length : 0);
  const writes = points + Math.round(count * SHARE_WRITES);
  const jobs = Array.from({ length: Math.max(count, points) }, (_, n): Job => {
    if (n < points) return { kill: 'point', point: POINTS[n % POINTS.length] as Point };
    return { kill: n < writes ? 'write' : 'instant' };
  });
  const mixed = jobs.map((job) => ({ job, at: random.unit() })).sort((a, b) => a.at - b.at);
  return mixed.map(({ job }) => job);
}

function isReached(job: Job, deaths: readonly string[]): boolean {
  return job.kill === 'point' ? deaths.includes(job.point.name) : deaths.length > 0;
}

interface Cycle {
  readonly orders: Orders;
  readonly random: SeededRandom;
  readonly versions: readonly Version[];
  readonly findings: Finding[];
}

/** Orders an update, actions and data at once and kills something; then everything must be known again. */
async function cycle(
  device: VictimDevice,
  job: Job | undefined,
  { orders, random, versions, findings }: Cycle,
) {
  const kind = job?.kill === 'point' && job.point.needs !== 'any' ? job.point.needs : undefined;
  const version = random.pick(versions.filter((one) => kind === undefined || one.kind === kind));
  prepareDeath(device, job, random);
  const ordered = orders.give(device, version, random);
  if (job?.kill === 'instant') {
    await pause(random.below(INSTANTS_MS));
    device.kill();
  }
  await ordered;
  try {
    await orders.settled(device, SETTLE_MS);
    device.disarm();
  } catch (error) {
    findings.push({
      kind: 'unknown',
      device: device.id,
      what: `${(error as Error).message}\n${device.said()}`,
    });
    return;
  }
  findings.push(...(await orders.compare(device)));
}

function prepareDeath(device: VictimDevice, job: Job | undefined, random: SeededRandom): void {
  if (job === undefined) return;
  if (random.chance(SHARE_AGAIN)) {
    const { point, count } = random.chance(0.5)
      ? drawWrite(random)
      : { point: random.pick(POINTS).name, count: 1 };
    device.armNextStart(point, count);
  }
  if (job.kill === 'point') device.arm(job.point.name);
  if (job.kill === 'write') {
    const { point, count } = drawWrite(random);
    device.arm(point, count);
  }
}

/** Gives a last order to each device without kills, and then reads the evidence. */
async function judge(
  site: VictimSite,
  orders: Orders,
  devices: readonly VictimDevice[],
  versions: readonly Version[],
  kills: Kills,
  findings: Finding[],
): Promise<Outcome> {
  const good = versions.find(({ kind }) => kind === 'good') as Version;
  for (const device of devices) {
    const well = await orders.prove(device, good, SETTLE_MS).catch((error: unknown) => String(error));
    if (well !== undefined) findings.push({ kind: 'bricked', device: device.id, what: well });
    for (const crash of device.crashes) findings.push({ kind: 'bricked', device: device.id, what: crash });
  }
  const verdicts = [];
  for (const device of devices) verdicts.push(await auditDevice(site.api, device, orders.promised(device)));
  for (const reused of site.witness?.reused ?? [])
    findings.push({ kind: 'doubled', device: reused, what: 'a number that was used twice on the wire' });
  for (const alarm of await site.inspectTrail())
    findings.push({ kind: 'lost', device: 'the audit trail', what: alarm });
  const places = new Map<string, number>();
  for (const place of devices.flatMap(({ deaths }) => deaths))
    places.set(place, (places.get(place) ?? 0) + 1);
  return {
    ...{ kills, places },
    verdict: sum(verdicts, findings),
    heardOnTheWire: site.witness?.heard,
  };
}

function sum(verdicts: readonly Verdict[], findings: readonly Finding[]): Verdict {
  const phases: Record<string, number> = {};
  for (const { phases: some } of verdicts)
    for (const [phase, count] of Object.entries(some)) phases[phase] = (phases[phase] ?? 0) + count;
  const total = (name: 'commands' | 'verified' | 'handedOver') =>
    verdicts.reduce((all, verdict) => all + verdict[name], 0);
  return {
    ...{ commands: total('commands'), verified: total('verified'), handedOver: total('handedOver'), phases },
    findings: [...findings, ...verdicts.flatMap((verdict) => verdict.findings)],
  };
}

/** The sum of campaigns that ran side by side. */
export function addUp(outcomes: readonly Outcome[]): Outcome {
  const kills: Kills = { agent: 0, server: 0, broker: 0, database: 0 };
  const places = new Map<string, number>();
  for (const outcome of outcomes) {
    for (const what of ['agent', ...OTHERS] as const) kills[what] += outcome.kills[what];
    for (const [place, count] of outcome.places) places.set(place, (places.get(place) ?? 0) + count);
  }
  const heard = outcomes.flatMap(({ heardOnTheWire }) => heardOnTheWire ?? []);
  return {
    ...{ kills, places },
    verdict: sum(
      outcomes.map(({ verdict }) => verdict),
      [],
    ),
    heardOnTheWire: heard.length === 0 ? undefined : heard.reduce((all, one) => all + one, 0),
  };
}
