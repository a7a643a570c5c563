import type { Command } from 'commander';
import { softwareName } from '../../client/cells.ts';
import { findDevice } from '../../client/find.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import type { ArtifactView, RanView } from '../../client/views.ts';
import { exactTime, shortDigest } from '../../screen/words.ts';
import { carryOut, goalOf } from '../order/order.ts';
import { reportOutcomes } from '../order/report.ts';
import { select, type Outcome } from '../order/send.ts';

interface RollbackOptions extends CommonOptions {
  readonly to?: string;
  readonly type?: string;
  readonly all?: true;
  readonly wait: boolean;
  readonly limit?: string;
}

export function addRollback(ctl: Command): void {
  defineCommand(
    ctl,
    'rollback [devices...]',
    'return devices to software that they have proven to run, without a download if they still hold it',
    [
      'rollback pump-7',
      'rollback pump-7 pump-8 --to 2.1.0',
      'rollback --type camera --to 3f9a52c0 --no-wait --json',
    ],
  )
    .option(
      '--to <digest|version>',
      'return to this one instead of the previous one; see "srup ctl software"',
    )
    .option('--type <type>', 'every joined device of this type')
    .option('--all', 'every joined device')
    .option('--no-wait', 'return when the server has signed and stored the messages')
    .option('--limit <time>', 'wait no longer than this: 90s, 15m, 12h')
    .action((names: string[], options: RollbackOptions) =>
      withSession(options, async (session) => {
        const { api, output } = session;
        const goal = goalOf(['active'], options);
        const to = await select(api, names, options);
        const command = { kind: 'rollback', ...(options.to !== undefined && { to: options.to }) } as const;
        const outcomes = await carryOut(session, to, command, goal, options.wait);
        const code = await reportOutcomes(api, output, outcomes);
        for (const outcome of outcomes)
          tellWay(outcome, (text) => {
            output.note(text);
          });
        return code;
      }),
    );

  defineCommand(ctl, 'software <device>', 'list the software that a device has proven to run, newest first', [
    'software pump-7',
  ]).action((name: string, options: CommonOptions) =>
    withSession(options, async ({ api, output }) => {
      const { id } = await findDevice(api, name);
      const ran = await api.get<readonly RanView[]>(`/devices/${id}/software`);
      if (output.json || ran.length === 0) {
        output.result(ran, () => {
          output.line('It has not proven to run any software yet.');
        });
        return undefined;
      }
      const known = new Map<string, ArtifactView>();
      for (const { digest } of ran) {
        const artifact = await api.find<ArtifactView>(`/artifacts/${digest}`);
        if (artifact !== undefined) known.set(digest, artifact);
      }
      output.table(
        ['PROVEN', 'SOFTWARE', ''],
        ran.map(({ digest, provenAt, isWayBack }) => [
          exactTime(provenAt),
          softwareName(digest, known),
          isWayBack ? '' : 'failed since, or abandoned by a rollback',
        ]),
      );
      return undefined;
    }),
  );
}

/** Says where the software came from, if that is certain: nobody can fetch it from a server that does not have it. */
function tellWay({ device, phase, rollback }: Outcome, note: (text: string) => void): void {
  if (rollback === undefined || rollback.isStored) return;
  const software = shortDigest(rollback.digest);
  if (phase === 'active') note(`${device} still held ${software} and downloaded nothing.`);
  else if (phase === 'failed')
    note(`${device} no longer holds ${software}, and the server has no such file: upload it.`);
  else note(`The server has no file ${software}: ${device} can go back only if it still holds it.`);
}
