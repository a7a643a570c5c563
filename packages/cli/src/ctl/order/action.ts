import type { Command } from 'commander';
import { STANDARD_ACTIONS } from '@srup/protocol';
import { defineCommand, takeDevicesAnd, withSession, type CommonOptions } from '../../client/session.ts';
import { confirmTyped } from '../../screen/prompts.ts';
import { UserError } from '../../user-error.ts';
import { goalOf, order } from './order.ts';
import { select, splitWords } from './send.ts';

/** The standard actions by name; `wake` is another name for the end of low power (P 10.5). */
const ACTIONS: Readonly<Record<string, number>> = {
  ...STANDARD_ACTIONS,
  wake: STANDARD_ACTIONS['low-power-off'],
};
const SELF_DESTRUCT = STANDARD_ACTIONS['self-destruct'];
interface ActionOptions extends CommonOptions {
  readonly type?: string;
  readonly all?: true;
  readonly wait?: boolean;
  readonly limit?: string;
  readonly yes?: true;
}

export function addActions(ctl: Command): void {
  const names = Object.entries(ACTIONS).map(([name, id]) => `  ${hexByte(id)}  ${name}\n`);
  const command = defineCommand(ctl, 'action', 'send an action to devices', [
    'action pump-7 self-test --wait',
    'action --type camera reboot --wait --limit 5m',
    'action b9d0 c41f 40   # an action of the product, by its hex id',
  ]);
  takeDevicesAnd(command, 'ID|NAME', 'the action: two hex digits, or a name')
    .option('--type <type>', 'every joined device of this type')
    .option('--all', 'every joined device')
    .option('--wait', 'wait until every device has answered')
    .option('--limit <time>', 'wait no longer than this: 90s, 15m, 12h')
    .option('--yes', 'do not ask for confirmation before self-destruct')
    .addHelpText('after', `\nNames:\n${names.join('')}`)
    .action((words: string[], options: ActionOptions) =>
      withSession(options, async (session) => {
        const { names, last } = splitWords(words, 'action', options);
        const actionId = parseAction(last);
        const to = await select(session.api, names, options);
        if (actionId === SELF_DESTRUCT) {
          await confirmTyped(
            'Self-destruct deletes the identity and the software of the device',
            'self-destruct',
            options.yes === true,
          );
        }
        return order(
          session,
          to,
          { kind: 'action', actionId },
          goalOf(['done'], options),
          options.wait === true,
        );
      }),
    );

  defineCommand(ctl, 'identify', 'ask devices to identify themselves', [
    'identify pump-7',
    'identify --all --limit 1m --json',
  ])
    .usage('[options] [DEVICE...]')
    .argument('[devices...]', 'devices (id, name, beginning of an id)')
    .option('--type <type>', 'every joined device of this type')
    .option('--all', 'every joined device')
    .option('--no-wait', 'do not wait for the answers')
    .option('--limit <time>', 'wait no longer than this: 90s, 15m, 12h')
    .action((devices: string[], options: ActionOptions) =>
      withSession(options, async (session) => {
        const to = await select(session.api, devices, options);
        return order(
          session,
          to,
          { kind: 'identify' },
          goalOf(['answered'], options),
          options.wait !== false,
        );
      }),
    );
}

export function parseAction(text: string): number {
  const named = Object.hasOwn(ACTIONS, text) ? ACTIONS[text] : undefined;
  if (named !== undefined) return named;
  if (/^(0x)?[0-9a-f]{2}$/i.test(text)) return Number.parseInt(text.replace(/^0x/i, ''), 16);
  throw new UserError(
    `"${text}" is not an action`,
    `Write two hex digits (40), or one of ${Object.keys(ACTIONS).join(', ')}. The devices come before it.`,
  );
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
