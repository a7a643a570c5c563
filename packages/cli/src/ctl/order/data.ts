import type { Command } from 'commander';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import type { DataValue } from '../../client/views.ts';
import { UserError } from '../../user-error.ts';
import { goalOf, order } from './order.ts';
import { select } from './send.ts';

const INT32 = { least: -(2 ** 31), most: 2 ** 31 - 1 };

interface DataOptions extends CommonOptions {
  readonly as: string;
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
      '\nPut "--" before a value that begins with "-":\n  $ srup ctl data pump-7 --as int32 -- limit -5',
    )
    .action((device: string, dataId: string, value: string, options: DataOptions) =>
      withSession(options, async (session) => {
        const command = { kind: 'data', dataId, value: parseValue(value, options.as) } as const;
        const to = await select(session.api, [device], {});
        return order(session, to, command, goalOf(['sent'], {}), false);
      }),
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
        `"${text}" is not an int32`,
        `It is a whole number from ${INT32.least} to ${INT32.most}.`,
      );
    case 'double':
      if (text.trim() !== '' && Number.isFinite(number)) return { type: form, number };
      throw new UserError(`"${text}" is not a number`, 'Write it as 21.5 or 1e-3.');
    case 'hex':
      if (/^([0-9a-f]{2})*$/i.test(text)) return { type: form, hex: text.toLowerCase() };
      throw new UserError(`"${text}" is not hex`, 'Write two hex digits for each byte: 00ff10.');
    default:
      throw new UserError(`there is no form "${form}"`, 'The forms are text, int32, double and hex.');
  }
}
