/**
 * One step of an exchange. States are plain JSON values, so a store can keep them. Effects are data; only the agent
 * and the server know how to perform them. Commit a state before you perform its effects. Every effect can be
 * performed again: after a restart, `resume...` names those that are still owed.
 */
import type { FlowCode } from '../faults.ts';
import type { Draft } from '../outbound.ts';

/** The outcome of one input. `refused`: the message was genuine and fresh, but it does not fit the exchange. */
export interface Step<State, Effect> {
  readonly state: State;
  readonly effects: readonly Effect[];
  readonly refused?: FlowCode;
}

export interface SendEffect {
  readonly do: 'send';
  readonly draft: Draft;
}

/**
 * The moment of an input. `now`: ms since 1970. `trusted`: the clock is set, so tokens can be refused for their age (P
 * 6.2).
 */
export interface Moment {
  readonly now: number;
  readonly trusted: boolean;
  /** 0 to 1, for the jitter of a retry (P 10.10). */
  readonly random: number;
}
