/** The device's side of DATA, both ways (P 10.6). */
import type { BodyOf } from '../../message/layouts.ts';
import { STATUS, type StatusCode } from '../../message/status.ts';
import type { TokenKey } from '../../token.ts';
import type { DataOutcome, DeviceInput } from '../device-step.ts';
import type { Moment } from '../step.ts';
import { fingerprint } from '../fingerprint.ts';
import { finish, finishedOf, recall, type WorkingState, type WorkingStep } from '../memory.ts';
import { refuse, respond, say, unchanged } from '../say.ts';
import { isProgramDataId, isReservedDataId } from './ids.ts';

/**
 * Hands DATA over at most once: "handed" is remembered before it happens, so a power cut in between loses the
 * DATA, as SRUP has no receipt for it, but never doubles it.
 */
export function takeData(
  state: WorkingState,
  token: TokenKey,
  { dataId, data }: BodyOf<'DATA'>,
  moment: Moment,
): WorkingStep {
  const content = fingerprint(dataId, data);
  const known = recall(state, token, 'data', content);
  switch (known.seen) {
    case 'otherwise':
      return refuse(state, 'FLOW_CONFLICT');
    case 'over': {
      const { answer } = known.finished;
      return answer === undefined
        ? unchanged(state)
        : { state, effects: [respond(token, answer as StatusCode)] };
    }
    default:
      break;
  }
  if (isReservedDataId(dataId)) {
    return { ...endUnknown(state, token, content, moment), refused: 'FLOW_UNSUPPORTED' };
  }
  return {
    state: finish(state, token, { kind: 'data', result: 'handed', content }, moment),
    effects: [{ do: 'deliver', token, dataId, data }],
  };
}

export function delivered(
  state: WorkingState,
  token: TokenKey,
  outcome: DataOutcome,
  moment: Moment,
): WorkingStep {
  const finished = finishedOf(state, token);
  if (finished?.kind !== 'data' || finished.result !== 'handed') return unchanged(state);
  const { content } = finished;
  if (outcome === 'unknown') return endUnknown(state, token, content, moment);
  return unchanged(finish(state, token, { kind: 'data', result: 'taken', content }, moment));
}

function endUnknown(state: WorkingState, token: TokenKey, content: string, moment: Moment): WorkingStep {
  const answer = STATUS.DATA_TYPE_UNKNOWN;
  return {
    state: finish(state, token, { kind: 'data', result: 'unknown', answer, content }, moment),
    effects: [respond(token, answer)],
  };
}

/**
 * DATA from the device. Nothing is remembered: no answer is waited for, and telemetry must not push commands out of
 * the memory. Refused as FLOW_STATE while the device is not joined. RangeError for an id that no program may use.
 */
export function report(state: WorkingState, input: Extract<DeviceInput, { on: 'report' }>): WorkingStep {
  const { token, dataId, data } = input;
  if (!isProgramDataId(dataId)) throw new RangeError(`the data id "${dataId}" belongs to the protocol`);
  if (state.join.phase !== 'joined') return refuse(state, 'FLOW_STATE');
  return { state, effects: [say('DATA', token, { dataId, data })] };
}
