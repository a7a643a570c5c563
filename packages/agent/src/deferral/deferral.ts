/** Deferral (P 10.11): the third answer of a command of the owner, beside yes and no. */

export interface Deferral {
  /** Why, for people: one line without secrets. */
  readonly reason: string;
  /** When the server can ask again, ms since 1970; absent: the server chooses. */
  readonly until?: number;
}

/** Thrown through a switch by an installer that defers it. */
export class Deferred extends Error {
  override readonly name = 'Deferred';
  readonly deferral: Deferral;
  constructor(deferral: Deferral) {
    super(deferral.reason);
    this.deferral = deferral;
  }
}

/** Most characters of a reason. */
const MAX_REASON = 200;
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]+/gu;
const RETRY_AFTER = /^retry-after=(\d{1,9})$/;
const UNTIL = /^until=(\S+)$/;

/**
 * Reads the lines that a command wrote. `retry-after=SECONDS` or `until=TIME` (ISO 8601) says when to ask again; the
 * first other line says why. Without such a line the reason is what it wrote to stderr, or `otherwise`. `now`: ms since
 * 1970.
 *
 * @example
 * readDeferral({ output: 'a patient is on it\nretry-after=600', complaint: '' }, 'busy', now);
 * // { reason: 'a patient is on it', until: now + 600_000 }
 */
export function readDeferral(
  { output, complaint }: { readonly output: string; readonly complaint: string },
  otherwise: string,
  now: number,
): Deferral {
  let until: number | undefined;
  let reason = '';
  for (const line of output.split('\n').map((text) => text.trim())) {
    const at = readTime(line, now);
    if (at !== undefined) until = at;
    else if (reason === '') reason = oneLine(line);
  }
  if (reason === '') reason = oneLine(complaint.split('\n')[0] ?? '');
  return { reason: reason === '' ? otherwise : reason, ...(until === undefined ? {} : { until }) };
}

function readTime(line: string, now: number): number | undefined {
  const seconds = RETRY_AFTER.exec(line)?.[1];
  if (seconds !== undefined) return now + Number(seconds) * 1000;
  const at = Date.parse(UNTIL.exec(line)?.[1] ?? '');
  return Number.isFinite(at) ? at : undefined;
}

/** One line of text without control characters: it reaches logs and screens elsewhere, and must not steer a terminal. */
export function oneLine(text: string): string {
  return Array.from(text.replace(INVISIBLE, ' ').trim()).slice(0, MAX_REASON).join('');
}
