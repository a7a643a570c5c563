import { Argument, type Command } from 'commander';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';

export function addRegistration(ctl: Command): void {
  defineCommand(ctl, 'registration', 'see whether new devices may register; open or close it', [
    'registration',
    'registration close',
  ])
    .addArgument(
      new Argument(
        '[change]',
        'open, or close: no new device for now; those that are registered go on',
      ).choices(['open', 'close']),
    )
    .action((change: string | undefined, options: CommonOptions) =>
      withSession(options, async ({ api, output }) => {
        const now =
          change === undefined
            ? await api.get<{ open: boolean }>('/registration')
            : await api.send<{ open: boolean }>('PUT', '/registration', { open: change === 'open' });
        output.result(now, () => {
          output.line(
            now.open ? 'Registration is open.' : 'Registration is closed: no new device can register.',
          );
        });
        return undefined;
      }),
    );
}
