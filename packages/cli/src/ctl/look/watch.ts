import type { Command } from 'commander';
import { liveEvents } from '../../client/events.ts';
import { findDevice } from '../../client/find.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import { createTeller } from '../../client/tell.ts';
import type { DeviceView, FleetEvent } from '../../client/views.ts';
import { printableJson } from '../../screen/printable.ts';

export function addWatch(ctl: Command): void {
  defineCommand(ctl, 'watch', 'show events as they happen, until Ctrl-C; one a line with --json', [
    'watch',
    'watch --device pump-7',
    'watch --json | jq \'select(.kind == "data")\'',
  ])
    .option('--device <device>', 'only events of this device')
    .action(({ device, ...options }: CommonOptions & { readonly device?: string }) =>
      withSession(options, async ({ api, output }) => {
        const only = device === undefined ? undefined : (await findDevice(api, device)).id;
        const interrupted = new AbortController();
        process.once('SIGINT', () => {
          interrupted.abort();
        });
        const tell = createTeller(output.json ? [] : await api.list<DeviceView>('/devices'));
        const events = liveEvents(api, {
          signal: interrupted.signal,
          onStart: () => {
            if (!output.json) output.note(`Watching ${api.url}; Ctrl-C stops it.`);
          },
          onBreak: (reason) => {
            output.note(`Disconnected (${reason}); trying again.`);
          },
          onReturn: () => {
            output.note('Connected again.');
          },
        });
        for await (const event of events) {
          if (only !== undefined && deviceOf(event) !== only) continue;
          if (output.json) process.stdout.write(`${printableJson(event)}\n`);
          else {
            const cells = tell(event);
            if (cells !== undefined) output.line('', ...cells);
          }
        }
        return undefined;
      }),
    );
}

function deviceOf(event: FleetEvent): string | undefined {
  switch (event.kind) {
    case 'device':
      return event.device.id;
    case 'exchange':
      return event.change.device;
    case 'data':
      return event.data.device;
    case 'refusal':
      return event.refusal.claimedSender;
  }
}
