import type { Command } from 'commander';
import type { Api } from '../../client/api.ts';
import { phaseCell, softwareName, standingCell } from '../../client/cells.ts';
import { findDevice } from '../../client/find.ts';
import { namedArtifacts } from '../../client/titles.ts';
import { defineCommand, withSession, type CommonOptions } from '../../client/session.ts';
import type { ArtifactView, DeviceView } from '../../client/views.ts';
import type { Output } from '../../screen/output.ts';
import { exactTime, NOTHING, relativeTime } from '../../screen/words.ts';
import { recentExchanges } from './recent.ts';

interface DevicesOptions extends CommonOptions {
  readonly search?: string;
  readonly type?: string;
  readonly standing?: string;
}

/** How many exchanges are shown with a device. */
const RECENT = 10;

export function addDevices(ctl: Command): void {
  defineCommand(ctl, 'devices', 'list devices, with what each has proven', [
    'devices',
    'devices --type camera --standing joined',
    'devices --search b9d0 --json',
  ])
    .option('--search <text>', 'only devices with this text in id, name, type or running digest')
    .option('--type <type>', 'only devices of this type')
    .option(
      '--standing <standing>',
      'only devices with this standing: unknown, pending, refused, failed, joined, resigned, terminated or deregistered',
    )
    .action(({ search, type, standing, ...options }: DevicesOptions) =>
      withSession(options, async ({ api, output }) => {
        const devices = await api.list<DeviceView>('/devices', { search, type, standing });
        if (output.json || devices.length === 0) {
          output.result(devices, () => {
            if (search ?? type ?? standing) output.line('No device matches.');
            else {
              output.line('No device is known yet.');
              output.note(FIRST_DEVICE);
            }
          });
        } else showDevices(output, devices, await namedArtifacts(api));
        return undefined;
      }),
    );

  defineCommand(
    ctl,
    'device <device>',
    'show one device, named by its id, its name, or the beginning of its id',
    ['device b9d0c0ffee15600d', 'device pump-7 --json'],
  ).action((text: string, options: CommonOptions) =>
    withSession(options, async ({ api, output }) => {
      const device = await findDevice(api, text);
      if (output.json) output.result(device, () => undefined);
      else await showDevice(api, output, device);
      return undefined;
    }),
  );

  defineCommand(ctl, 'rename <device> <name>', 'give a device a name that commands can use', [
    'rename b9d0c0ffee15600d pump-7',
  ]).action((text: string, name: string, options: CommonOptions) =>
    withSession(options, async ({ api, output }) => {
      const { id } = await findDevice(api, text);
      const device = await api.send<DeviceView>('PATCH', `/devices/${id}`, { name });
      output.result(device, () => {
        output.line(`${device.id} is now called ${device.name ?? NOTHING}`);
      });
      return undefined;
    }),
  );
}

const FIRST_DEVICE =
  'Make an enrolment code (srup ctl codes create), then start an agent with it (srup agent --help).';

function showDevices(
  output: Output,
  devices: readonly DeviceView[],
  artifacts: ReadonlyMap<string, ArtifactView>,
): void {
  output.table(
    ['ID', 'NAME', 'TYPE', 'STANDING', 'RUNS (PROVEN)', 'LAST PROVEN'],
    devices.map((device) => [
      device.id,
      device.name ?? NOTHING,
      device.type,
      standingCell(device.standing),
      device.running === undefined ? NOTHING : softwareName(device.running.digest, artifacts),
      relativeTime(device.lastProvenAt),
    ]),
  );
}

async function showDevice(api: Api, output: Output, device: DeviceView): Promise<void> {
  const [artifacts, recent] = await Promise.all([
    namedArtifacts(api),
    recentExchanges(api, { device: device.id }, RECENT),
  ]);
  const software = (proven: DeviceView['running']) =>
    proven && `${softwareName(proven.digest, artifacts)}, proven ${exactTime(proven.provenAt)}`;
  output.facts([
    ['Id', device.id],
    ['Name', device.name],
    ['Type', device.type],
    ['Standing', standingCell(device.standing)],
    ['Runs', software(device.running) ?? 'nothing proven yet'],
    ['Staged', software(device.staged)],
    [
      'Last proven',
      device.lastProvenAt === undefined
        ? 'never'
        : `${relativeTime(device.lastProvenAt)} (${exactTime(device.lastProvenAt)})`,
    ],
    ['First seen', exactTime(device.firstSeenAt)],
    ['Says it is', device.identification],
    ['Confirms', device.confirms ? 'yes' : 'no: it does not confirm what is sent to it (P 10.7)'],
    ['Keys', device.suite],
  ]);
  if (recent.length === 0) return;
  output.line('');
  output.table(
    ['OPENED', 'KIND', 'PHASE', 'TOKEN', 'MEANING'],
    recent.map((view) => [
      relativeTime(view.exchange.openedAt),
      view.exchange.kind,
      phaseCell(view),
      view.exchange.token,
      view.explanation,
    ]),
  );
}
