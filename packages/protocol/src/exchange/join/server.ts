/** The server's side of a simple join (P 9.1, 9.5). Observed joins will have a folder of their own. */
import { STATUS, type StatusCode } from '../../message/status.ts';
import type { TokenKey } from '../../token.ts';
import type { ServerJoin, Standing } from '../server-exchange.ts';
import type { JoinVerdict, ServerFacts, ServerStep } from '../server-step.ts';
import type { Moment } from '../step.ts';
import { isDue, JOIN_PENDING_MS } from '../retry.ts';
import { refuse, respond, unchanged } from '../say.ts';
import { settle } from '../settle.ts';

interface Decision {
  readonly phase: ServerJoin['phase'];
  readonly status: StatusCode;
  readonly standing: Standing;
}

const DECISIONS: Readonly<Record<Exclude<JoinVerdict, 'ask'>, Decision>> = {
  accept: { phase: 'accepted', status: STATUS.JOIN_SUCCESS, standing: 'joined' },
  refuse: { phase: 'refused', status: STATUS.JOIN_REFUSED, standing: 'refused' },
  fail: { phase: 'failed', status: STATUS.JOIN_FAIL, standing: 'failed' },
};
const NOBODY_DECIDED: Decision = { phase: 'expired', status: STATUS.JOIN_FAIL, standing: 'failed' };

export function openJoin(token: TokenKey, moment: Moment, facts: ServerFacts): ServerStep {
  const { joined, joinVerdict } = facts;
  const join: ServerJoin = { kind: 'join', phase: 'pending', token, openedAt: moment.now, attempts: 0 };
  if (joined) {
    // P 9.5: the device may have lost its memory; nothing changes.
    const { phase, status } = DECISIONS.accept;
    return { state: settle(join, phase, status), effects: [respond(token, status)] };
  }
  if (joinVerdict !== 'ask') return decide(join, DECISIONS[joinVerdict]);
  const state = { ...join, wakeAt: moment.now + JOIN_PENDING_MS };
  return { state, effects: [{ do: 'stand', standing: 'pending' }] };
}

function decide(join: ServerJoin, { phase, status, standing }: Decision): ServerStep {
  return {
    state: settle(join, phase, status),
    effects: [respond(join.token, status), { do: 'stand', standing }],
  };
}

/** Takes an operator's decision. */
export function decideJoin(join: ServerJoin, verdict: Exclude<JoinVerdict, 'ask'>): ServerStep {
  return join.phase === 'pending' ? decide(join, DECISIONS[verdict]) : refuse(join, 'FLOW_STATE');
}

/** Takes a JOIN_REQ again under the same token. It gets the same answer, as long as that is still true. */
export function joinAgain(join: ServerJoin, facts: ServerFacts): ServerStep {
  if (join.phase === 'pending') return unchanged(join);
  if (join.phase === 'accepted' && !facts.joined) {
    // It has left since, or was dismissed. This token does not let it in again (P 6.4).
    return refuse(join, 'FLOW_FINISHED', respond(join.token, STATUS.JOIN_FAIL));
  }
  return { state: join, effects: [respond(join.token, join.status as StatusCode)] };
}

export function wakeJoin(join: ServerJoin, moment: Moment): ServerStep {
  if (join.phase !== 'pending' || !isDue(join.wakeAt, moment)) return unchanged(join);
  return decide(join, NOBODY_DECIDED);
}
