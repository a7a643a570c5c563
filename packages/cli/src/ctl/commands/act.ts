import type { Command } from 'commander';
import { STANDARD_ACTIONS } from '@srup/protocol';
import type { ExchangeView } from '@srup/server';
import { UserError } from '../../user-error.ts';
import {
  select,
  send,
  sentOutcome,
  splitWords,
  type DataValue,
  type OrderedCommand,
  type Selection,
} from '../order.ts';
import { confirmTyped } from '../prompts.ts';
import { reportOutcomes } from '../report.ts';
import { defineCommand, takeDevicesAnd, withSession, type CommonOptions, type Session } from '../session.ts';
import { sendAndWait, type Goal } from '../wait.ts';
import { parseDuration } from '../words.ts';

/** `wake` is the other name of P 10.5 for the end of low power. */
const ACTIONS: Readonly<Record<string, number>> = {
  ...STANDARD_ACTIONS,
  wake: STANDARD_ACTIONS['low-power-off'],
};
const SELF_DESTRUCT = STANDARD_ACTIONS['self-destruct'];
const INT32 = { least: -(2 ** 31), most: 2 ** 31 - 1 };

interface ActionOptions extends CommonOptions {
  readonly type?: string;
  readonly all?: true;
  readonly wait?: boolean;
  readonly limit?: string;
  readonly yes?: true;
}

interface DataOptions extends CommonOptions {
  readonly as: string;
}

export function addActions(ctl: Command): void {
  const names = Object.entries(ACTIONS).map(([name, id]) => `${name} (${hexByte(id)})`);
  const command = defineCommand(ctl, 'action', 'send an action to devices', [
    'action pump-7 self-test --wait',
    'action --type camera reboot --wait --limit 5m',
    "action b9d0 c41f 40   # an action of the devices' own, by its hex id",
  ]);
  takeDevicesAnd(command, 'ID|NAME', 'the action: two hex digits, or a name')
    .option('--type <type>', 'every joined device of this type')
    .option('--all', 'every joined device')
    .option('--wait', 'wait until every device has answered')
    .option('--limit <time>', 'wait no longer than this: 90s, 15m, 12h')
    .option('--yes', 'do not ask before self-destruct')
    .addHelpText('after', `\nNames: ${names.join(', ')}`)
    .action((words: string[], options: ActionOptions) =>
      withSession(options, async (session) => {
        const { names, last } = splitWords(words, 'action', options);
        const actionId = parseAction(last);
        const to = await select(session.api, names, options);
        if (actionId === SELF_DESTRUCT) {
          await confirmTyped(
            'Self-destruct erases identity and software of the device',
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

  defineCommand(ctl, 'identify', 'ask devices what they are', [
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

export function addData(ctl: Command): void {
  defineCommand(ctl, 'data <device> <id> <value>', 'send data to a device', [
    'data pump-7 mode eco',
    'data pump-7 limit 42 --as int32',
    'data pump-7 target 21.5 --as double',
    'data pump-7 blob 00ff10 --as hex',
  ])
    .option('--as <form>', 'text, int32, double or hex: how the value is written in the message', 'text')
    .addHelpText(
      'after',
      '\nA value that begins with "-" comes after "--": srup ctl data pump-7 --as int32 -- limit -5',
    )
    .action((device: string, dataId: string, value: string, options: DataOptions) =>
      withSession(options, async (session) => {
        const command = { kind: 'data', dataId, value: parseValue(value, options.as) } as const;
        const to = await select(session.api, [device], {});
        return order(session, to, command, goalOf(['sent'], {}), false);
      }),
    );
}

/** Sends, waits when wanted, and reports. */
export async function order(
  { api, output }: Session,
  to: Selection,
  command: OrderedCommand,
  goal: Goal,
  isWaitedFor: boolean,
): Promise<number> {
  const outcomes = isWaitedFor
    ? await sendAndWait(api, output, to, command, goal)
    : (await send(api, to, command)).map(sentOutcome);
  return reportOutcomes(api, output, outcomes);
}

export function goalOf(good: readonly string[], { limit }: { readonly limit?: string }): Goal {
  return {
    isSettled: (view: ExchangeView) => view.isFinal,
    isGood: (view) => good.includes(view.exchange.phase),
    limitMs: limit === undefined ? undefined : parseDuration(limit),
  };
}

export function parseAction(text: string): number {
  const named = Object.hasOwn(ACTIONS, text) ? ACTIONS[text] : undefined;
  if (named !== undefined) return named;
  if (/^(0x)?[0-9a-f]{2}$/i.test(text)) return Number.parseInt(text.replace(/^0x/i, ''), 16);
  throw new UserError(
    `"${text}" is no action`,
    `Write two hex digits (40), or one of ${Object.keys(ACTIONS).join(', ')}. The devices come before it.`,
  );
}

export function parseValue(text: string, form: string): DataValue {
  const number = Number(text);
  switch (form) {
    case 'text':
      return { type: 'text', text };
    case 'int32':
      if (text.trim() !== '' && Number.isInteger(number) && number >= INT32.least && number <= INT32.most)
        return { type: form, number };
      throw new UserError(
        `"${text}" is no int32`,
        `It is a whole number from ${INT32.least} to ${INT32.most}.`,
      );
    case 'double':
      if (text.trim() !== '' && Number.isFinite(number)) return { type: form, number };
      throw new UserError(`"${text}" is no number`, 'Write it as 21.5 or 1e-3.');
    case 'hex':
      if (/^([0-9a-f]{2})*$/i.test(text)) return { type: form, hex: text.toLowerCase() };
      throw new UserError(`"${text}" is not hex`, 'Write two hex digits for each byte: 00ff10.');
    default:
      throw new UserError(`there is no form "${form}"`, 'The forms are text, int32, double and hex.');
  }
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
