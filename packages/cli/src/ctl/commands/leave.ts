import type { Command } from 'commander';
import { findDevice } from '../find.ts';
import { confirmTyped } from '../prompts.ts';
import { defineCommand, withSession, type CommonOptions } from '../session.ts';
import { deviceTitle } from '../words.ts';
import { goalOf, order } from './act.ts';

interface LeaveOptions extends CommonOptions {
  readonly yes?: true;
  readonly wait?: true;
  readonly limit?: string;
}

const WAYS = {
  terminate: 'let a device go; it keeps its identity and may join again',
  deregister: 'let a device go for good: its identity and certificate are revoked',
} as const;

/** P 10.8. */
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
          const consequence = kind === 'terminate' ? 'will be let go' : 'will lose its identity for good';
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
}
