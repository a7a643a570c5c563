/** Checks the audit trail and its witnesses now; the running server does so once an hour. */
import type { TrailFindings, WitnessFinding } from '@srup/server';
import { exactTime } from '../screen/words.ts';
import { environmentPassword } from '../service/database.ts';
import { failed, ok, untried, warning, type Judgement } from './finding.ts';

const DAY_MS = 86_400_000;
/** How long an alarm in the trail is reported. */
const ALARM_MS = 30 * DAY_MS;
/** How long a witness can be away: entries that it lacks can be rewritten unnoticed. */
const AWAY_MS = DAY_MS;
const EVIDENCE =
  'Keep the folder and the files of the witnesses as evidence; see "When it does not hold" in docs/audit.md.';

export async function checkAudit(folder: string): Promise<Judgement[]> {
  const { examineTrail } = await import('@srup/server');
  const now = Date.now();
  const findings = await examineTrail(folder, now - ALARM_MS, await environmentPassword());
  const { witnesses } = findings;
  return [
    ...judgeTrail(findings),
    ...(witnesses.length === 0
      ? [untried('whether the trail was rewritten: it has no witness (srup up --witness)')]
      : witnesses.map((witness) => judgeWitness(witness, now))),
  ];
}

function judgeTrail({ entries, wrong, alarms }: TrailFindings): Judgement[] {
  const past = alarms.filter(({ what }) => !wrong.includes(what));
  return [
    ...(wrong.length === 0
      ? [ok(`the trail is valid: ${entries} entries, signed by this server`)]
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
      `${place} ${has}, but had received entry ${seq}: it was cut, removed or replaced`,
      'Find out who did that. If it was you, keep the old file: it proves its entries.',
    );
  }
  if (trouble === undefined) return ok(`${place} has all entries to ${seq}`);
  const last =
    takenAt === undefined ? 'never received a checkpoint' : `has received none since ${exactTime(takenAt)}`;
  const what = `${place} ${last} and lacks ${missing} entries: ${trouble}`;
  const todo =
    'Make it reachable and writable for the server, which then sends it what it lacks. Until then, those entries could be rewritten.';
  const isLong = takenAt === undefined || now - takenAt > AWAY_MS;
  return isLong ? failed(what, todo) : warning(what, todo);
}
