import { Argument, type Command } from 'commander';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import type { AnswerTo } from '../../client/views.ts';

export function addRegistration(ctl: Command): void {
  defineCommand(ctl, 'registration', 'show whether new devices can register; open or close registration', [
    'registration',
    'registration close',
  ])
    .addArgument(
      new Argument(
        '[change]',
        'open; or close: new devices can not register, and registered ones are not affected',
      ).choices(['open', 'close']),
    )
    .action((change: string | undefined, options: CommonOptions) =>
      withSession(options, async ({ api, output }) => {
        const now =
          change === undefined
            ? await api.get<AnswerTo<'getRegistration'>>('/registration')
            : await api.send<AnswerTo<'setRegistration'>>('PUT', '/registration', {
                open: change === 'open',
              });
        output.result(now, () => {
          output.line(
            now.open ? 'Registration is open.' : 'Registration is closed: no new device can register.',
          );
        });
        return undefined;
      }),
    );
}
