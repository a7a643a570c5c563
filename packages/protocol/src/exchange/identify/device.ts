/** The device's side of identification (P 10.7). */
import type { TokenKey } from '../../token.ts';
import { encodeText } from '../../wire/text.ts';
import type { DeviceFacts } from '../device-step.ts';
import type { Moment } from '../step.ts';
import { finish, recall, type WorkingState, type WorkingStep } from '../memory.ts';
import { refuse, say } from '../say.ts';
import { IDENTIFICATION_DATA_ID } from './identification.ts';

export function identify(
  state: WorkingState,
  token: TokenKey,
  moment: Moment,
  facts: DeviceFacts,
): WorkingStep {
  const known = recall(state, token, 'identify');
  if (known.seen === 'otherwise') return refuse(state, 'FLOW_CONFLICT');
  const data = encodeText(facts.identification);
  const effects = [say('DATA', token, { dataId: IDENTIFICATION_DATA_ID, data })];
  if (known.seen === 'over') return { state, effects };
  return {
    state: finish(state, token, { kind: 'identify', result: 'answered', content: '' }, moment),
    effects,
  };
}
