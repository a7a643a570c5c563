/** What follows from a step of one exchange: for the device, and for its other exchanges. The table is at the end. */
import { newToken } from '@srup/node';
import {
  openExchange,
  STATUS,
  stepServer,
  type Caller,
  type Moment,
  type ServerEffect,
  type ServerExchange,
  type ServerStep,
  type Standing,
} from '@srup/protocol';
import { isFinal } from '../news/explain.ts';
import type { Change, Decision } from './change.ts';
import { addStep } from './effects.ts';
import { openExchanges } from '../peers/exchanges.ts';
import { factsOf } from './facts.ts';
import { deviceOwner } from './owner.ts';
import type { TurnPorts } from './ports.ts';

/** How long our last answer has to reach a device that left for good, in milliseconds. */
export const END_IDENTITY_DELAY_MS = 10_000;
/** The errand that ends the identity of a device that left for good (P 10.8). */
export const END_IDENTITY = 'end-identity';

/** Where a step comes from. */
export interface Origin {
  /** The exchange before the step; undefined when the step begins it. */
  readonly known: ServerExchange | undefined;
  /** Who decides, if the step decides a join (P 9.8). */
  readonly by: Caller;
}

export type OutcomePorts = Pick<TurnPorts, 'store' | 'policies' | 'clock' | 'random'>;

/** A step that was added to its change, and everything that decides what follows from it. */
interface Taken extends Origin {
  readonly ports: OutcomePorts;
  readonly change: Change;
  readonly step: ServerStep;
  readonly moment: Moment;
  /** The device's standing before the step, and after it. */
  readonly before: Standing;
  readonly after: Standing;
}

/**
 * Adds a step to a change, with everything that follows from it.
 *
 * @example
 * await addOutcome(ports, change, step, moment, { known: exchange, by: TIMEOUT });
 * await save(change);
 */
export async function addOutcome(
  ports: OutcomePorts,
  change: Change,
  step: ServerStep,
  moment: Moment,
  { known, by }: Origin,
): Promise<void> {
  const before = change.record.row.standing;
  addStep(change, step);
  if (isFinal(step.state) && (known === undefined || !isFinal(known))) change.ended.push(step.state);
  const after = change.record.row.standing;
  const taken: Taken = { ports, change, step, moment, known, by, before, after };
  for (const { when, then } of CONSEQUENCES) if (when(taken)) await then(taken);
}

/**
 * Gives up the open exchanges of a change's device. Nothing more is sent for them; what the device did is unknown.
 *
 * @example
 * await giveUpOpen(ports, change, ({ kind }) => kind === 'join');
 */
export async function giveUpOpen(
  { store }: Pick<OutcomePorts, 'store'>,
  change: Change,
  isMeant: (exchange: ServerExchange) => boolean = () => true,
): Promise<void> {
  for (const exchange of await openExchanges(store.read, change.record.row.id)) {
    if (!isMeant(exchange)) continue;
    const given = givenUp(exchange);
    change.exchanges.set(exchange.token, given);
    change.ended.push(given);
  }
}

function givenUp(exchange: ServerExchange): ServerExchange {
  const { wakeAt: _wakeAt, ...rest } = exchange;
  const status = exchange.kind === 'join' ? { status: STATUS.JOIN_FAIL } : {};
  return { ...rest, ...status, phase: 'expired' } as ServerExchange;
}

// ---------------------------------------------------------------- conditions

const GONE: ReadonlySet<Standing> = new Set<Standing>(['resigned', 'terminated', 'deregistered']);

function isGone({ before, after }: Taken): boolean {
  return after !== before && GONE.has(after);
}

const VERDICTS: Partial<Record<ServerExchange['phase'], Decision['verdict']>> = {
  accepted: 'accept',
  refused: 'refuse',
  failed: 'fail',
};

/** The verdict of a step that decides a join; undefined for every other step. */
function verdictOf({ step, known, before }: Taken): Decision['verdict'] | undefined {
  const isNew = step.state.kind === 'join' && before !== 'joined' && known?.phase !== step.state.phase;
  return isNew ? VERDICTS[step.state.phase] : undefined;
}

function effectOf<Name extends ServerEffect['do']>({ step }: Taken, name: Name) {
  return step.effects.find((effect) => effect.do === name) as
    Extract<ServerEffect, { readonly do: Name }> | undefined;
}

// ---------------------------------------------------------------- consequences

function giveUpOthers(
  { ports, change, step }: Taken,
  isMeant: (exchange: ServerExchange) => boolean,
): Promise<void> {
  return giveUpOpen(ports, change, (open) => open.token !== step.state.token && isMeant(open));
}

function askWhatItIs({ ports, change, moment }: Taken): void {
  const token = newToken(ports.clock, ports.random);
  addStep(change, openExchange({ kind: 'identify' }, token, moment, factsOf(ports, change.record)));
}

/** Answers the open questions of others: pySRUP names itself under a token of its own. */
async function answerOthers(taken: Taken): Promise<void> {
  const { ports, change, step, moment } = taken;
  const identification = effectOf(taken, 'identify')?.identification ?? '';
  for (const exchange of await openExchanges(ports.store.read, change.record.row.id)) {
    if (exchange.kind !== 'identify' || exchange.token === step.state.token) continue;
    const facts = factsOf(ports, change.record);
    addStep(change, stepServer(exchange, { on: 'identified', identification }, moment, facts));
  }
}

/** Adds an errand that ends the device's identity later. A process that dies meanwhile does not lose it (P 10.8). */
function askForItsEnd({ change }: Taken): void {
  change.errands.push({
    owner: deviceOwner(change.record.row.id),
    kind: END_IDENTITY,
    body: {},
    after: change.at + END_IDENTITY_DELAY_MS,
  });
}

interface Consequence {
  readonly when: (taken: Taken) => boolean;
  readonly then: (taken: Taken) => Promise<void> | void;
}

/** Taken in this order. Each line says: when this is so, then do that. */
const CONSEQUENCES: readonly Consequence[] = [
  // The device left: the server asks it nothing more, and no join that still waits lets it in.
  { when: isGone, then: (taken) => giveUpOthers(taken, ({ kind }) => kind !== 'leave') },
  // It left for good: its identity ends, after a while in which our answer can reach it.
  { when: ({ before, after }) => after === 'deregistered' && before !== after, then: askForItsEnd },
  // It asks to join while an older request waits: it has forgotten the token of the older one.
  {
    when: ({ step, known, before }) =>
      step.state.kind === 'join' && known === undefined && before === 'pending',
    then: (taken) => giveUpOthers(taken, ({ kind }) => kind === 'join'),
  },
  // A join was decided: keep the evidence (P 9.8).
  {
    when: (taken) => verdictOf(taken) !== undefined,
    then: (taken) => {
      const { change, step, by } = taken;
      change.decisions.push({
        token: step.state.token,
        verdict: verdictOf(taken) as Decision['verdict'],
        by,
      });
    },
  },
  // It was let in: ask it what it is (P 10.7).
  { when: (taken) => verdictOf(taken) === 'accept', then: askWhatItIs },
  // It runs new software: ask it what it is again, because what it said when it joined is out of date.
  {
    when: ({ step }) => step.effects.some((effect) => effect.do === 'prove' && effect.what === 'active'),
    then: askWhatItIs,
  },
  // It said what it is: that answers every other open question, too.
  { when: (taken) => effectOf(taken, 'identify') !== undefined, then: answerOthers },
];
