import type { Command } from 'commander';
import { phaseCell } from '../../client/cells.ts';
import { findDevice } from '../../client/find.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import { deviceTitles } from '../../client/titles.ts';
import type { AnswerTo, DataView, ExchangeView, MessageView, RefusalView } from '../../client/views.ts';
import { parseRows } from '../../screen/parse.ts';
import { exactTime, NOTHING, relativeTime } from '../../screen/words.ts';
import { recentExchanges } from './recent.ts';

interface ListOptions extends CommonOptions {
  readonly limit: string;
}

interface ExchangesOptions extends ListOptions {
  readonly device?: string;
  readonly kind?: string;
  readonly order?: string;
  readonly open?: true;
}

const ROWS = '50';
const LIMIT = ['--limit <rows>', 'the most rows to show, or "all"', ROWS] as const;

/** Adds the commands that list what happened, newest first. */
export function addEvidence(ctl: Command): void {
  defineCommand(ctl, 'exchanges', 'list updates, actions, joins and other exchanges, and what they proved', [
    'exchanges --open',
    'exchanges --device pump-7 --kind update',
    'exchanges --limit all --json',
  ])
    .option('--device <device>', 'only exchanges with this device')
    .option('--kind <kind>', 'update, action, data, identify, join or leave (default: all but data)')
    .option('--order <id>', 'only exchanges that this order began; --json shows its id')
    .option('--open', 'only exchanges that have not ended')
    .option(...LIMIT)
    .action(({ device, kind, order, open, limit, ...options }: ExchangesOptions) =>
      withSession(options, async ({ api, output }) => {
        const of = device === undefined ? undefined : (await findDevice(api, device)).id;
        const rows =
          kind === undefined
            ? await recentExchanges(api, { device: of, order, open }, parseRows(limit))
            : await api.list<ExchangeView>('/exchanges', { device: of, kind, order, open }, parseRows(limit));
        if (output.json || rows.length === 0) {
          output.result(rows, () => {
            output.line('No exchange matches.');
          });
          return undefined;
        }
        const titles = await deviceTitles(
          api,
          rows.map((row) => row.device),
        );
        output.table(
          ['OPENED', 'DEVICE', 'KIND', 'PHASE', 'TOKEN', 'MEANING'],
          rows.map((row) => [
            relativeTime(row.exchange.openedAt),
            titles.get(row.device) ?? row.device,
            row.exchange.kind,
            phaseCell(row),
            row.exchange.token,
            row.explanation,
          ]),
        );
        return undefined;
      }),
    );

  defineCommand(
    ctl,
    'messages <device>',
    'list the signed messages to and from a device, which are the evidence',
    [
      'messages pump-7',
      'messages pump-7 --limit all --json > evidence.json',
      'messages pump-7 --hex \\\n      --token 0199f3a2-6d1e-7c3b-9a51-0d9e6c1f2b47',
    ],
  )
    .option('--token <token>', 'only messages of this transaction')
    .option('--hex', 'show the bytes; "srup message decode HEX" explains them')
    .option(...LIMIT)
    .action(
      (
        device: string,
        { token, hex, limit, ...options }: ListOptions & { readonly token?: string; readonly hex?: true },
      ) =>
        withSession(options, async ({ api, output }) => {
          const { id } = await findDevice(api, device);
          const messages = await api.list<MessageView>(
            `/devices/${id}/messages`,
            { token },
            parseRows(limit),
          );
          output.result(messages, () => {
            output.table(
              ['TIME', 'WAY', 'TYPE', 'SEQUENCE', 'TOKEN', ...(hex === true ? ['BYTES'] : [])],
              messages.map((message) => [
                exactTime(message.at),
                message.direction === 'in' ? 'from device' : 'to device',
                message.type,
                message.sequence,
                message.token,
                ...(hex === true ? [message.hex] : []),
              ]),
            );
          });
          return undefined;
        }),
    );

  defineCommand(ctl, 'received <device>', 'list the data that a device sent', [
    'received pump-7 --id temperature',
    'received pump-7 --json',
  ])
    .option('--id <data-id>', 'only data with this data id')
    .option(...LIMIT)
    .action((device: string, { id: dataId, limit, ...options }: ListOptions & { readonly id?: string }) =>
      withSession(options, async ({ api, output }) => {
        const { id } = await findDevice(api, device);
        const rows = await api.list<DataView>(`/devices/${id}/data`, { dataId }, parseRows(limit));
        output.result(rows, () => {
          if (rows.length === 0) output.line('It has sent no data.');
          else
            output.table(
              ['TIME', 'ID', 'VALUE'],
              rows.map((row) => [exactTime(row.at), row.dataId, String(row.value)]),
            );
        });
        return undefined;
      }),
    );

  defineCommand(ctl, 'refusals', 'list the messages that were refused, and why', [
    'refusals',
    'refusals --counts --json',
  ])
    .option('--counts', 'only count the refusals of each kind since the server was set up')
    .option(...LIMIT)
    .action(({ counts, limit, ...options }: ListOptions & { readonly counts?: true }) =>
      withSession(options, async ({ api, output }) => {
        if (counts === true) {
          const numbers = await api.get<AnswerTo<'countRefusals'>>('/refusals/counts');
          output.result(numbers, () => {
            if (Object.keys(numbers).length === 0) output.line('No message was refused.');
            else
              output.table(
                ['CODE', 'TIMES'],
                Object.entries(numbers).map(([code, times]) => [code, String(times)]),
              );
          });
          return undefined;
        }
        const rows = await api.list<RefusalView>('/refusals', {}, parseRows(limit));
        output.result(rows, () => {
          if (rows.length === 0) output.line('No message was refused.');
          else {
            output.table(
              ['TIME', 'CODE', 'NAMED SENDER (NOT PROVEN)', 'TYPE', 'TOPIC'],
              rows.map((row) => [
                exactTime(row.at),
                row.code,
                row.claimedSender ?? NOTHING,
                row.type ?? NOTHING,
                row.topic,
              ]),
            );
          }
        });
        return undefined;
      }),
    );
}
