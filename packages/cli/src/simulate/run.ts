import { resolve } from 'node:path';
import type { SuiteName } from '@srup/protocol';
import { reportFailures } from '../client/session.ts';
import { CTL_EXIT, refused } from '../failure.ts';
import { createOutput } from '../screen/output.ts';
import { parseDuration } from '../screen/parse.ts';
import { untilAskedToStop } from '../service/stop.ts';
import { UserError } from '../user-error.ts';
import { openAccess, type Access, type AccessOptions } from './access.ts';
import { assignFaults, FAULT_NAMES, parseShare, type Fault } from './choose.ts';
import { startFleet, type SimulatedFleet } from './fleet.ts';
import { keepIn, keepInMemory, type Keep } from './keep.ts';
import { createMeter, type Meter } from './meter.ts';
import { showProgress } from './progress.ts';
import { optionOf, show, summarise } from './report.ts';

export interface SimulateOptions extends AccessOptions, Readonly<Partial<Record<Fault, string>>> {
  readonly devices: string;
  readonly suite: SuiteName;
  readonly keep?: string;
  readonly seed: string;
  readonly returnAfter?: string;
  readonly until?: 'joined' | 'updated';
  readonly for?: string;
  readonly leave?: true;
  readonly json?: true;
}

/** The most devices for which one process can hold connections. */
const MOST_DEVICES = 50_000;
/** Time between two looks at whether the goal is reached. */
const LOOK_MS = 100;

export function simulate(options: SimulateOptions): Promise<void> {
  return reportFailures(async () => {
    const devices = parseDevices(options.devices);
    const faults = assignFaults(options.seed, devices, sharesOf(options));
    const returnAfterMs = options.returnAfter === undefined ? undefined : parseDuration(options.returnAfter);
    const lastsMs = options.for === undefined ? undefined : parseDuration(options.for);
    const access = await openAccess(options);
    const keep = await openKeep(options, access.url);
    const meter = createMeter();
    try {
      const fresh = faults.filter((_, number) => keep.find(number) === undefined).length;
      const code = await access.codeFor(fresh);
      const plan = { options, faults, returnAfterMs, lastsMs, code };
      return await run(plan, access, keep, meter);
    } finally {
      await keep.close();
      await access.close();
    }
  });
}

interface Plan {
  readonly options: SimulateOptions;
  readonly faults: readonly ReadonlySet<Fault>[];
  readonly returnAfterMs: number | undefined;
  readonly lastsMs: number | undefined;
  readonly code: string | undefined;
}

async function run(plan: Plan, { url, ca }: Access, keep: Keep, meter: Meter): Promise<number> {
  const { systemClock, systemRandom } = await import('@srup/node');
  const { options, faults, returnAfterMs, code } = plan;
  const { type, suite, seed } = options;
  const began = performance.now();
  const stopping = new AbortController();
  const asked = untilAskedToStop();
  const fleet = startFleet(
    {
      ...{ url, ca, type, suite, seed, code, keep, meter, returnAfterMs },
      clock: systemClock,
      random: systemRandom,
      signal: stopping.signal,
    },
    faults,
  );
  const progress = showProgress(() => fleet.counts(), meter);
  try {
    const outcome = await Promise.race([reach(fleet, plan), asked]);
    progress.stop();
    const counts = fleet.counts();
    stopping.abort();
    const unconfirmed = options.leave === true ? await fleet.leave() : undefined;
    const seconds = (performance.now() - began) / 1000;
    const output = createOutput(options.json === true);
    show(output, summarise(counts, meter, faults, seconds, unconfirmed));
    if (counts.waiting > 0) {
      output.note(
        `${counts.waiting} devices wait to join: decide with "srup ctl joins", or accept all of them: srup ctl policy set "${type}" accept`,
      );
    }
    return outcome === 'late' || (unconfirmed ?? 0) > 0 ? CTL_EXIT.refused : CTL_EXIT.ok;
  } catch (error) {
    throw await explain(error);
  } finally {
    progress.stop();
    stopping.abort();
    await fleet.close();
  }
}

/** Resolves when the goal is reached or the time is over. */
async function reach(fleet: SimulatedFleet, { options, lastsMs }: Plan): Promise<'done' | 'late'> {
  const deadline = performance.now() + (lastsMs ?? Infinity);
  let isUp = false;
  let trouble: { readonly error: unknown } | undefined;
  fleet.up.then(
    () => (isUp = true),
    (error: unknown) => (trouble = { error }),
  );
  const isReached = (): boolean => {
    if (!isUp || options.until === undefined) return false;
    return options.until === 'joined' ? fleet.isJoined() : fleet.isUpdated();
  };
  for (;;) {
    if (trouble !== undefined) throw (trouble as { error: unknown }).error;
    if (isReached()) return 'done';
    if (performance.now() >= deadline) return options.until === undefined ? 'done' : 'late';
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function sharesOf(options: SimulateOptions) {
  return Object.fromEntries(
    FAULT_NAMES.flatMap((fault) => {
      const text = options[fault];
      return text === undefined ? [] : [[fault, parseShare(text, `--${optionOf(fault)}`)]];
    }),
  );
}

function parseDevices(text: string): number {
  const devices = Number(text);
  if (/^\d{1,6}$/.test(text) && devices > 0 && devices <= MOST_DEVICES) return devices;
  throw new UserError(
    `"${text}" is not a number of devices`,
    `Write a whole number from 1 to ${MOST_DEVICES}; start more processes for more.`,
  );
}

async function openKeep({ keep, type, suite }: SimulateOptions, url: string): Promise<Keep> {
  return keep === undefined ? keepInMemory() : keepIn(resolve(keep), { server: url, type, suite });
}

/** Turns an error of the agent's parts into one for the person who runs the command. */
async function explain(error: unknown): Promise<unknown> {
  const { AgentError } = await import('@srup/agent/parts');
  if (!(error instanceof AgentError)) return error;
  return refused(error.message, error.hint ?? 'Look into the log of the server.');
}
