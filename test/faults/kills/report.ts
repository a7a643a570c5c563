/** The summary of a campaign, as the command prints it and docs/reliability.md shows it. */
import { FINDINGS } from './audit.ts';
import type { Outcome } from './campaign.ts';

export function countFindings({ verdict }: Outcome): Record<(typeof FINDINGS)[number], number> {
  const of = (kind: string) => verdict.findings.filter((finding) => finding.kind === kind).length;
  return { lost: of('lost'), doubled: of('doubled'), bricked: of('bricked'), unknown: of('unknown') };
}

export function describe(outcome: Outcome): string {
  const { kills, verdict, places, heardOnTheWire } = outcome;
  const all = kills.agent + kills.server + kills.broker + kills.database;
  const counts = countFindings(outcome);
  const atRandom = places.get('random instant') ?? 0;
  const named = [...places]
    .filter(([name]) => name !== 'random instant')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const ends = Object.entries(verdict.phases).sort(([a], [b]) => (a < b ? -1 : 1));
  const witness = heardOnTheWire === undefined ? '' : `; ${heardOnTheWire} messages heard on the wire`;
  return [
    `kills     ${all}: agent ${kills.agent}, server ${kills.server}, broker ${kills.broker}, database ${kills.database}`,
    `          agents at ${named.length} named points ${all === 0 ? 0 : kills.agent - atRandom} times, at random instants ${atRandom} times`,
    ...FINDINGS.map((kind) => `${kind.padEnd(9)} ${counts[kind]}`),
    '',
    `orders    ${verdict.commands}: ${ends.map(([name, count]) => `${name} ${count}`).join(', ')}`,
    `evidence  ${verdict.verified} signed messages verified${witness}`,
    `data      handed over ${verdict.handedOver} of ${dataSent(verdict.phases)} (at most once, P 10.6)`,
    '',
    `points    ${named.map(([name, count]) => `${name} ${count}`).join(', ')}`,
  ].join('\n');
}

function dataSent(phases: Readonly<Record<string, number>>): number {
  return Object.entries(phases).reduce(
    (sum, [name, count]) => sum + (name.startsWith('data ') ? count : 0),
    0,
  );
}
