/** Reports the result of a run, for people and for programs. */
import type { Output } from '../screen/output.ts';
import { FAULT_NAMES, FAULTS, type Fault } from './choose.ts';
import type { FleetCounts } from './fleet.ts';
import type { Meter } from './meter.ts';

/** How many reasons of trouble people see. */
const REASONS_SHOWN = 5;

export interface Summary {
  readonly devices: number;
  readonly enrolled: number;
  readonly joined: number;
  readonly waiting: number;
  readonly turnedAway: number;
  readonly updated: number;
  readonly events: ReturnType<Meter['events']>;
  readonly steps: ReturnType<Meter['times']>;
  readonly refusals: ReturnType<Meter['refusals']>;
  readonly troubles: Readonly<Record<string, number>>;
  readonly faults: Readonly<Partial<Record<Fault, number>>>;
  readonly seconds: number;
  /** The largest resident memory of this process, MiB. */
  readonly memoryMiB: number;
  /** With --leave: devices whose departure the server did not confirm. */
  readonly unconfirmed?: number;
}

export function summarise(
  counts: FleetCounts,
  meter: Meter,
  faults: readonly ReadonlySet<Fault>[],
  seconds: number,
  unconfirmed: number | undefined,
): Summary {
  const having = FAULT_NAMES.map((fault) => [fault, faults.filter((own) => own.has(fault)).length] as const);
  return {
    devices: counts.devices,
    enrolled: counts.enrolled,
    joined: counts.joined,
    waiting: counts.waiting,
    turnedAway: counts.out,
    updated: counts.updated,
    events: meter.events(),
    steps: meter.times(),
    refusals: meter.refusals(),
    troubles: Object.fromEntries(meter.troubles()),
    faults: Object.fromEntries(having.filter(([, devices]) => devices > 0)),
    seconds: Math.round(seconds * 10) / 10,
    memoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    ...(unconfirmed !== undefined && { unconfirmed }),
  };
}

export function show(output: Output, summary: Summary): void {
  output.result(summary, () => {
    const { devices, enrolled, joined, turnedAway, updated, events, faults, refusals, troubles } = summary;
    const list = (counts: Readonly<Record<string, number>>) =>
      Object.entries(counts)
        .filter(([, count]) => count > 0)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ') || undefined;
    output.facts([
      ['Devices', `${devices}: ${enrolled} registered, ${joined} joined, ${updated} updated`],
      ['Turned away', turnedAway > 0 ? String(turnedAway) : undefined],
      [
        'Not confirmed',
        summary.unconfirmed ? `${summary.unconfirmed} left without an answer of the server` : undefined,
      ],
      ['Happened', list(events)],
      [
        'Faults',
        list(Object.fromEntries(Object.entries(faults).map(([fault, count]) => [optionOf(fault), count]))),
      ],
      ['Refused messages', list(refusals)],
      ['Took', `${summary.seconds} s, ${summary.memoryMiB} MiB`],
    ]);
    const steps = Object.entries(summary.steps);
    if (steps.length > 0) {
      output.table(
        ['STEP', 'TIMES', 'P50 MS', 'P95 MS'],
        steps.map(([step, { count, p50, p95 }]) => [step, String(count), p50.toFixed(1), p95.toFixed(1)]),
      );
    }
    for (const [reason, count] of Object.entries(troubles).slice(0, REASONS_SHOWN)) {
      output.note(`${count} x ${reason}`);
    }
  });
}

/** `failingHealth` -> `failing-health`. */
export function optionOf(fault: string): string {
  return fault.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

export function describeFault(fault: Fault): string {
  return `devices that ${FAULTS[fault]}`;
}
