/** The audit trail and its witnesses, as they are now: the running server looks once an hour. */
import type { TrailFindings, WitnessFinding } from '@srup/server';
import { exactTime } from '../screen/words.ts';
import { failed, ok, untried, warning, type Judgement } from './finding.ts';

const DAY_MS = 86_400_000;
/** For which an alarm in the trail is told of. */
const ALARM_MS = 30 * DAY_MS;
/** For which a witness may be away: what it lacks can be rewritten unseen. */
const AWAY_MS = DAY_MS;
const EVIDENCE =
  'Keep the folder and what the witnesses have as evidence; see "When it does not hold" in docs/audit.md.';

export async function checkAudit(folder: string): Promise<Judgement[]> {
  const { examineTrail } = await import('@srup/server');
  const now = Date.now();
  const findings = await examineTrail(folder, now - ALARM_MS);
  const { witnesses } = findings;
  return [
    ...judgeTrail(findings),
    ...(witnesses.length === 0
      ? [untried('whether somebody rewrote the trail: it has no witness (srup up --witness)')]
      : witnesses.map((witness) => judgeWitness(witness, now))),
  ];
}

function judgeTrail({ entries, wrong, alarms }: TrailFindings): Judgement[] {
  const past = alarms.filter(({ what }) => !wrong.includes(what));
  return [
    ...(wrong.length === 0
      ? [ok(`the trail holds: ${entries} entries, signed by this server`)]
      : wrong.map((what) => failed(what, EVIDENCE))),
    ...past.map(({ seq, at, what }) =>
      warning(`alarm of ${exactTime(at)} (entry ${seq}): ${what}`, EVIDENCE),
    ),
  ];
}

function judgeWitness(witness: WitnessFinding, now: number): Judgement {
  const { place, seq, takenAt, missing, trouble, cutTo } = witness;
  if (cutTo !== undefined) {
    const has = cutTo === 0 ? 'has no checkpoint' : `ends with entry ${cutTo}`;
    return failed(
      `${place} ${has}, and had taken entry ${seq}: it was cut, removed or replaced`,
      'Find out who did that. If you did, keep the old file: it proves what it has.',
    );
  }
  if (trouble === undefined) return ok(`${place} has all to entry ${seq}`);
  const last = takenAt === undefined ? 'never took a checkpoint' : `took none since ${exactTime(takenAt)}`;
  const what = `${place} ${last}, ${missing} entries are missing there: ${trouble}`;
  const todo =
    'Make it reachable and writable for the server: it then gets all that it misses. Until then, that could be rewritten.';
  const isLong = takenAt === undefined || now - takenAt > AWAY_MS;
  return isLong ? failed(what, todo) : warning(what, todo);
}
