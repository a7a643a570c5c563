import type { Command } from 'commander';
import { parseIdentity } from '@srup/protocol';
import type { Api } from '../../client/api.ts';
import { deviceTitle } from '../../client/cells.ts';
import { findDevice } from '../../client/find.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import type { Revocation } from '../../client/views.ts';
import { CTL_EXIT } from '../../failure.ts';
import { confirmTyped } from '../../screen/prompts.ts';
import { UserError } from '../../user-error.ts';
import { goalOf, order } from './order.ts';

interface LeaveOptions extends CommonOptions {
  readonly yes?: true;
  readonly wait?: true;
  readonly limit?: string;
}

const WAYS = {
  terminate: 'end the membership of a device, which keeps its identity and can join again',
  deregister: 'end the membership of a device for good, and revoke its identity and certificate',
} as const;

/** Adds the commands that end a membership (P 10.8). */
export function addLeave(ctl: Command): void {
  for (const kind of ['terminate', 'deregister'] as const) {
    defineCommand(ctl, `${kind} <device>`, WAYS[kind], [
      `${kind} pump-7`,
      `${kind} b9d0c0ffee15600d --yes --wait`,
    ])
      .option('--yes', 'do not ask')
      .option('--wait', 'wait until the device has confirmed')
      .option('--limit <time>', 'wait no longer than this: 90s, 15m, 12h')
      .action((name: string, options: LeaveOptions) =>
        withSession(options, async (session) => {
          const device = await findDevice(session.api, name);
          const consequence = kind === 'terminate' ? 'will leave' : 'will lose its identity for good';
          await confirmTyped(`${deviceTitle(device)} ${consequence}`, device.id, options.yes === true);
          const to = { devices: [device.id] };
          return order(
            session,
            to,
            { kind },
            goalOf(['left', 'unconfirmed'], options),
            options.wait === true,
          );
        }),
      );
  }

  defineCommand(ctl, 'revoke <device>', 'revoke a lost or stolen device at once, without asking it', [
    'revoke pump-7',
    'revoke b9d0c0ffee15600d --yes',
  ])
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
The certificate and the session of the device end now, messages that wait for it
are dropped, and nothing that it sends is believed any more. The device is not
notified: use "deregister" for a device that is still in good hands. The id of a
device that registered but never joined must be written in full.`,
    )
    .action((name: string, options: LeaveOptions) =>
      withSession(options, async ({ api, output }) => {
        const { id, title } = await whomToRevoke(api, name);
        await confirmTyped(`${title} will lose its identity for good, at once`, id, options.yes === true);
        const outcome = await api.send<Revocation>('POST', `/devices/${id}/revoke`);
        const { ended, problem = '' } = outcome;
        output.result(outcome, () => {
          if (ended)
            output.line(
              `${title} is revoked: its certificate and session have ended, and messages that waited for it are dropped.`,
            );
          else
            output.line(
              `${title} is revoked here, and nothing that it sends is believed. The server retries the rest: ${problem}`,
            );
        });
        return ended ? CTL_EXIT.ok : CTL_EXIT.refused;
      }),
    );
}

/** The device to revoke; it can be one that never asked to join, which the server does not list. */
async function whomToRevoke(api: Api, name: string): Promise<{ id: string; title: string }> {
  try {
    const device = await findDevice(api, name);
    return { id: device.id, title: deviceTitle(device) };
  } catch (error) {
    if (!(error instanceof UserError) || parseIdentity(name) === undefined) throw error;
    return { id: name, title: name };
  }
}
