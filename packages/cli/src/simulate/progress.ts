/** Shows on stderr in one line how far a run is: redrawn on a terminal, printed now and then elsewhere. */
import type { FleetCounts } from './fleet.ts';
import type { Meter } from './meter.ts';

const REDRAW_MS = 500;
/** Time between two lines where stderr is not a terminal. */
const SAY_MS = 10_000;
/** The time over which a rate is measured, on a terminal and elsewhere. */
const RATE_MS = { terminal: 3_000, elsewhere: 15_000 };

export interface Progress {
  stop(): void;
}

export function showProgress(counts: () => FleetCounts, meter: Meter): Progress {
  const isTerminal = process.stderr.isTTY;
  const past: { readonly at: number; readonly counts: FleetCounts }[] = [];
  let said = '';

  function draw(): void {
    const now = { at: performance.now(), counts: counts() };
    past.push(now);
    while (past.length > 1 && now.at - (past[0]?.at ?? 0) > RATE_MS[isTerminal ? 'terminal' : 'elsewhere'])
      past.shift();
    const line = describe(
      now.counts,
      past[0]?.counts ?? now.counts,
      (now.at - (past[0]?.at ?? now.at)) / 1000,
      meter,
    );
    if (isTerminal) process.stderr.write(`\r\x1b[K${line.slice(0, process.stderr.columns - 1)}`);
    else if (line !== said) process.stderr.write(`${line}\n`);
    said = line;
  }

  const timer = setInterval(draw, isTerminal ? REDRAW_MS : SAY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      if (isTerminal) process.stderr.write('\r\x1b[K');
    },
  };
}

function describe(now: FleetCounts, before: FleetCounts, seconds: number, meter: Meter): string {
  const rate = (name: keyof FleetCounts): string => {
    const gained = now[name] - before[name];
    return gained > 0 && seconds > 0
      ? ` (${(gained / seconds).toFixed(gained / seconds < 10 ? 1 : 0)}/s)`
      : '';
  };
  const { switched, reverted, badDownloads, deferred } = meter.events();
  const parts = [
    now.ready < now.devices && `keys ${now.ready}${rate('ready')}`,
    `registered ${now.enrolled}${rate('enrolled')}`,
    `connected ${now.connected}`,
    `joined ${now.joined}${rate('joined')}`,
    now.waiting > 0 && `waiting ${now.waiting}`,
    now.out > 0 && `turned away ${now.out}`,
    now.updated > 0 && `updated ${now.updated}${rate('updated')}`,
    reverted > 0 && `reverted ${reverted}`,
    badDownloads > 0 && `bad downloads ${badDownloads}`,
    deferred > 0 && switched < deferred && `deferred ${deferred}`,
  ];
  return `${now.devices} devices: ${parts.filter((part) => part !== false).join(', ')}`;
}
