import { newToken } from '@srup/node';
import {
  openExchange,
  STATUS,
  stepServer,
  type Caller,
  type Moment,
  type ServerExchange,
  type ServerStep,
} from '@srup/protocol';
import type { Standing } from '../contract.ts';
import { addStep, type Change } from './change.ts';
import { factsOf, openExchanges, type Core } from './core.ts';
import { isFinal } from '../news/explain.ts';

const GONE: ReadonlySet<Standing> = new Set<Standing>(['resigned', 'terminated', 'deregistered']);
const VERDICTS: Partial<Record<ServerExchange['phase'], Change['decisions'][number]['verdict']>> = {
  accepted: 'accept',
  refused: 'refuse',
  failed: 'fail',
};

/** Where a step comes from. */
export interface Origin {
  /** The exchange before; undefined when the step begins it. */
  readonly known: ServerExchange | undefined;
  /** Who or what decides, should the step decide a join (P 9.8). */
  readonly by: Caller;
}

/** Adds a step of one exchange, and what follows from it for the others of the same device. */
export async function addOutcome(
  core: Core,
  change: Change,
  step: ServerStep,
  moment: Moment,
  { known, by }: Origin,
): Promise<void> {
  const before = change.record.row.standing;
  addStep(change, step, core.serverId);
  if (isFinal(step.state) && (known === undefined || !isFinal(known))) change.ended.push(step.state);
  const after = change.record.row.standing;
  const isOther = ({ token }: ServerExchange): boolean => token !== step.state.token;
  // Who left is asked nothing more, and a join that still waited lets it in no more.
  if (after !== before && GONE.has(after))
    await giveUpOpen(core, change, (open) => open.kind !== 'leave' && isOther(open));
  if (step.state.kind === 'join') {
    // One request of a device waits at a time: the device has forgotten the token of the older one.
    if (known === undefined && before === 'pending')
      await giveUpOpen(core, change, (open) => open.kind === 'join' && isOther(open));
    if (before !== 'joined' && known?.phase !== step.state.phase) welcome(core, change, step, moment, by);
  }
  // It now runs something else than it said when it joined.
  const isChanged = step.effects.some((effect) => effect.do === 'prove' && effect.what === 'active');
  if (isChanged) askWhatItIs(core, change, moment);
  for (const effect of step.effects) {
    if (effect.do === 'identify') await tellIdentified(core, change, step, moment, effect.identification);
  }
}

/** A join was decided: the evidence is kept (P 9.8), and a newcomer is asked what it is (P 10.7). */
function welcome(core: Core, change: Change, { state }: ServerStep, moment: Moment, by: Caller): void {
  const verdict = VERDICTS[state.phase];
  if (verdict === undefined) return;
  change.decisions.push({ token: state.token, verdict, by });
  if (verdict === 'accept') askWhatItIs(core, change, moment);
}

function askWhatItIs(core: Core, change: Change, moment: Moment): void {
  const token = newToken(core.clock, core.random);
  addStep(
    change,
    openExchange({ kind: 'identify' }, token, moment, factsOf(core, change.record)),
    core.serverId,
  );
}

/** pySRUP names itself under a token of its own: whoever else asked has the answer too. */
async function tellIdentified(
  core: Core,
  change: Change,
  { state }: ServerStep,
  moment: Moment,
  identification: string,
): Promise<void> {
  for (const exchange of await openExchanges(core, change.record.row.id)) {
    if (exchange.kind !== 'identify' || exchange.token === state.token) continue;
    const facts = factsOf(core, change.record);
    addStep(change, stepServer(exchange, { on: 'identified', identification }, moment, facts), core.serverId);
  }
}

/** Nothing is waited for any more: of all that is open, unless told. */
export async function giveUpOpen(
  core: Core,
  change: Change,
  isMeant: (exchange: ServerExchange) => boolean = () => true,
): Promise<void> {
  for (const exchange of await openExchanges(core, change.record.row.id)) {
    if (!isMeant(exchange)) continue;
    const given = giveUp(exchange);
    change.exchanges.set(exchange.token, given);
    change.ended.push(given);
  }
}

/** Nothing more is sent for it; what the device did is not known. */
function giveUp(exchange: ServerExchange): ServerExchange {
  const { wakeAt: _wakeAt, ...rest } = exchange;
  const status = exchange.kind === 'join' ? { status: STATUS.JOIN_FAIL } : {};
  return { ...rest, ...status, phase: 'expired' } as ServerExchange;
}
