import type { FaultCode } from '../faults.ts';
import type { Report } from './conversation.ts';

/** What all seeds together went through. */
export interface Totals {
  readonly seeds: number;
  readonly dropped: number;
  readonly doubled: number;
  readonly delayed: number;
  readonly restarts: number;
  readonly attacks: number;
  readonly refusals: Readonly<Partial<Record<FaultCode, number>>>;
}

/** Plays seeds 1 to `count`. Throws for the first seed that breaks a promise, and names it. */
export async function playSeeds(count: number, play: (seed: number) => Promise<Report>): Promise<Totals> {
  const totals = { seeds: count, dropped: 0, doubled: 0, delayed: 0, restarts: 0, attacks: 0 };
  const refusals: Partial<Record<FaultCode, number>> = {};
  for (let seed = 1; seed <= count; seed++) {
    const { link, restarts, attacks, ...report } = await playNamed(seed, play);
    totals.dropped += link.dropped;
    totals.doubled += link.doubled;
    totals.delayed += link.delayed;
    totals.restarts += restarts;
    totals.attacks += attacks;
    for (const [code, times] of report.refusals) refusals[code] = (refusals[code] ?? 0) + times;
  }
  return { ...totals, refusals };
}

async function playNamed(seed: number, play: (seed: number) => Promise<Report>): Promise<Report> {
  try {
    const report = await play(seed);
    if (report.broken.length > 0) throw new Error(report.broken.join('; '));
    return report;
  } catch (cause) {
    throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Refusals that an attacker's work leads to over enough seeds. */
const EXPECTED: readonly FaultCode[] = [
  'AUTH_SIGNATURE',
  'AUTH_SENDER',
  'AUTH_TOPIC',
  'AUTH_OWN',
  'AUTH_RETAINED',
  'REPLAY_SEEN',
];

/** Throws if the runs were too kind to prove anything: a test over them could not fail. */
export function requireHostile({ seeds, refusals, ...counts }: Totals): void {
  for (const [what, count] of Object.entries(counts)) {
    if (count < seeds / 4) throw new Error(`only ${count} ${what} over ${seeds} seeds`);
  }
  for (const code of EXPECTED) {
    if (refusals[code] === undefined) throw new Error(`nothing was refused as ${code} over ${seeds} seeds`);
  }
}
