import { Argument, type Command } from 'commander';
import { segment } from '../../client/api.ts';
import { deviceTitle } from '../../client/cells.ts';
import { findDevices } from '../../client/find.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import type { DeviceView, ExchangeView } from '../../client/views.ts';
import { NOTHING, relativeTime } from '../../screen/words.ts';
import { UserError } from '../../user-error.ts';

const DECISIONS = ['accept', 'refuse', 'fail'];

/** Adds the commands that decide on joins (P 9.1). */
export function addJoins(ctl: Command): void {
  defineCommand(ctl, 'joins', 'list the devices that wait to join', ['joins', 'joins --json']).action(
    (options: CommonOptions) =>
      withSession(options, async ({ api, output }) => {
        const joins = await api.list<ExchangeView>('/exchanges', { kind: 'join', open: true });
        if (output.json || joins.length === 0) {
          output.result(joins, () => {
            output.line('No device waits to join.');
          });
          return undefined;
        }
        const devices = new Map<string, DeviceView | undefined>();
        for (const { device } of joins) devices.set(device, await api.find<DeviceView>(`/devices/${device}`));
        output.table(
          ['DEVICE', 'NAME', 'TYPE', 'SUITE', 'WAITS SINCE'],
          joins.map(({ device, exchange }) => [
            device,
            devices.get(device)?.name ?? NOTHING,
            devices.get(device)?.type ?? NOTHING,
            devices.get(device)?.suite ?? NOTHING,
            relativeTime(exchange.openedAt),
          ]),
        );
        output.note('Decide: srup ctl join accept DEVICE   (or refuse, or fail)');
        return undefined;
      }),
  );

  defineCommand(ctl, 'join', 'decide on devices that wait to join', [
    'join accept b9d0c0ffee15600d',
    'join refuse c41f',
  ])
    .addArgument(
      new Argument(
        '<verdict>',
        'accept; refuse: the device can try another kind of join; fail: it can not',
      ).choices(DECISIONS),
    )
    .argument('<devices...>', 'devices (id, name, beginning of an id)')
    .action((verdict: string, names: string[], options: CommonOptions) =>
      withSession(options, async ({ api, output }) => {
        const decided: ExchangeView[] = [];
        for (const device of await findDevices(api, names)) {
          const [pending] = await api.list<ExchangeView>(
            '/exchanges',
            { device: device.id, kind: 'join', open: true },
            1,
          );
          if (pending === undefined) {
            throw new UserError(
              `${deviceTitle(device)} does not wait to join: it is ${device.standing}`,
              'List those that do: srup ctl joins',
            );
          }
          const path = `/devices/${device.id}/exchanges/${segment(pending.exchange.token)}/decide`;
          const view = await api.send<ExchangeView>('POST', path, { verdict });
          decided.push(view);
          if (!output.json) output.line(`${deviceTitle(device)}: ${view.explanation}`);
        }
        output.result(decided, () => undefined);
        return undefined;
      }),
    );
}
