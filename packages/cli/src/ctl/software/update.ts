import type { Command } from 'commander';
import { segment, type Api } from '../../client/api.ts';
import { findArtifact, findDevice } from '../../client/find.ts';
import {
  defineCommand,
  takeDevicesAnd,
  withSession,
  type CommonOptions,
  type Session,
} from '../../client/session.ts';
import type { AnswerTo, ArtifactView, ExchangeView } from '../../client/views.ts';
import type { Output } from '../../screen/output.ts';
import { parseDuration } from '../../screen/parse.ts';
import { byteCount, shortDigest } from '../../screen/words.ts';
import { UserError } from '../../user-error.ts';
import { order } from '../order/order.ts';
import { reportOutcomes } from '../order/report.ts';
import { select, sentOutcome, splitWords } from '../order/send.ts';
import { waitFor, whileFollowing, type Goal } from '../order/wait.ts';
import { digestOf, localFile, upload, type Naming } from './upload.ts';

interface UpdateOptions extends CommonOptions, Naming {
  readonly type?: string;
  readonly all?: true;
  readonly stageOnly?: true;
  readonly wait: boolean;
  readonly limit?: string;
}

interface WaitOptions extends CommonOptions {
  readonly wait: boolean;
  readonly limit?: string;
}

export function addUpdate(ctl: Command): void {
  const command = defineCommand(
    ctl,
    'update',
    'update devices to a file or an artifact, and wait for their receipts',
    [
      'update pump-7 build/pump.tar.gz --version 2.1.0',
      'update --type camera v2.mjs --stage-only',
      'update b9d0 c41f 3f9a52c0d1e7   # two devices, a stored artifact',
      'update --all v2.mjs --no-wait --json',
    ],
  );
  takeDevicesAnd(command, 'FILE|DIGEST', 'a file, or the digest of an artifact')
    .option('--type <type>', 'every joined device of this type')
    .option('--all', 'every joined device')
    .option('--stage-only', 'fetch and verify, but do not activate; see "srup ctl activate"')
    .option('--name <name>', 'name of the uploaded artifact')
    .option('--version <version>', 'version of the uploaded artifact')
    .option('--no-wait', 'return when the server has signed and stored the messages')
    .option('--limit <time>', 'wait no longer than this: 90s, 15m, 12h')
    .action((words: string[], options: UpdateOptions) =>
      withSession(options, (session) => update(session, words, options)),
    );

  defineCommand(
    ctl,
    'activate <device> [token]',
    'activate what a device has staged, or repeat what it deferred',
    ['activate pump-7', 'activate b9d0 0199f3a2-6d1e-7c3b-9a51-0d9e6c1f2b47'],
  )
    .option('--no-wait', 'return when the server has signed and stored the message')
    .option('--limit <time>', 'wait no longer than this: 90s, 15m, 12h')
    .action((device: string, token: string | undefined, options: WaitOptions) =>
      withSession(options, (session) => activate(session, device, token, options)),
    );

  defineCommand(ctl, 'cancel <device> [token]', 'cancel an update that is not activated yet', [
    'cancel pump-7',
  ]).action((device: string, token: string | undefined, options: CommonOptions) =>
    withSession(options, async ({ api, output }) => {
      const view = await openUpdate(api, device, token, ['initiated', 'staged']);
      const path = `/devices/${view.device}/exchanges/${segment(view.exchange.token)}/cancel`;
      const cancelled = await api.send<ExchangeView>('POST', path);
      output.result(cancelled, () => {
        output.line(cancelled.explanation);
      });
      return undefined;
    }),
  );
}

async function update(session: Session, words: readonly string[], options: UpdateOptions): Promise<number> {
  const { api, output } = session;
  const { names, last } = splitWords(words, 'file', options);
  const limitMs = options.limit === undefined ? undefined : parseDuration(options.limit);
  const to = await select(api, names, options);
  const { digest } = await wantedArtifact(api, output, last, options);
  const command = { kind: 'update', digest, activate: options.stageOnly !== true } as const;
  const wanted = options.stageOnly === true ? 'staged' : 'active';
  const goal = goalOf(wanted, limitMs);
  const code = await order(session, to, command, goal, options.wait);
  if (!output.json && options.stageOnly === true && code === 0)
    output.note('Next, for each device: srup ctl activate DEVICE');
  return code;
}

async function activate(
  { api, output }: Session,
  name: string,
  token: string | undefined,
  options: WaitOptions,
): Promise<number> {
  const limitMs = options.limit === undefined ? undefined : parseDuration(options.limit);
  const staged = await openUpdate(api, name, token, ['staged', 'deferred']);
  const target = { device: staged.device, token: staged.exchange.token };
  const path = `/devices/${target.device}/exchanges/${segment(target.token)}/activate`;
  const goal = goalOf('active', limitMs);
  const receipt = { ...target, ok: true } as const;
  if (!options.wait) {
    await api.send('POST', path);
    return reportOutcomes(api, output, [sentOutcome(receipt)]);
  }
  const outcomes = await whileFollowing(api, output, async (follower) => {
    await api.send('POST', path);
    return waitFor(follower, output, [receipt], goal);
  });
  return reportOutcomes(api, output, outcomes);
}

function goalOf(wanted: 'staged' | 'active', limitMs: number | undefined): Goal {
  return {
    isSettled: (view) => view.isFinal || (wanted === 'staged' && view.exchange.phase === 'staged'),
    isGood: (view) => view.exchange.phase === wanted,
    limitMs,
  };
}

/** The artifact to update to: a file, which is uploaded if it is not stored yet, or the digest of an artifact. */
async function wantedArtifact(
  api: Api,
  output: Output,
  text: string,
  naming: Naming,
): Promise<Pick<ArtifactView, 'digest'>> {
  const file = await localFile(text);
  if (file === undefined) return findArtifact(api, text);
  const digest = await digestOf(file);
  const stored = await api.find<ArtifactView>(`/artifacts/${digest}`);
  const isNamed = naming.name !== undefined || naming.version !== undefined;
  if (stored !== undefined && !isNamed) return stored;
  const artifact = await upload(api, file, digest, naming);
  output.note(`Uploaded ${artifact.name} (${byteCount(artifact.bytes)}), digest ${shortDigest(digest)}`);
  return artifact;
}

/** The update with this token, or the only one of the device in one of these phases. */
async function openUpdate(
  api: Api,
  name: string,
  token: string | undefined,
  phases: readonly string[],
): Promise<ExchangeView> {
  const { id } = await findDevice(api, name);
  if (token !== undefined) return api.get(`/devices/${id}/exchanges/${segment(token)}`);
  const { rows } = await api.get<AnswerTo<'listExchanges'>>('/exchanges', {
    device: id,
    kind: 'update',
    open: true,
  });
  const open = rows.filter(({ exchange }) => phases.includes(phaseOf(exchange)));
  if (open.length === 1) return open[0] as ExchangeView;
  throw new UserError(
    `${name} has ${open.length === 0 ? 'no update that is' : `${open.length} updates that are`} ${phases.join(' or ')}`,
    `List its updates with their tokens: srup ctl exchanges --device ${id} --kind update`,
  );
}

/** The phase of an exchange; an activation that the device deferred counts as "deferred". */
function phaseOf(exchange: ExchangeView['exchange']): string {
  const isDeferred =
    exchange.kind === 'update' && exchange.phase === 'activating' && exchange.deferral !== undefined;
  return isDeferred ? 'deferred' : exchange.phase;
}
