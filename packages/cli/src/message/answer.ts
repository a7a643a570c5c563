import { FAULT_MEANING, type FaultCode } from '@srup/protocol';
import type { InputFault, RequestId } from './request.ts';

/** The fields with which every answer to a request begins. */
export interface Answer {
  /** The id of the request, whatever it was. */
  id?: RequestId | undefined;
  ok: boolean;
  code?: FaultCode | InputFault['code'] | 'UNEXPECTED';
  /** What the code means here, in one sentence. */
  message?: string;
}

export function refusal(code: FaultCode): Pick<Answer, 'ok' | 'code' | 'message'> {
  const [first = '', ...rest] = FAULT_MEANING[code];
  return { ok: false, code, message: `${first.toUpperCase()}${rest.join('')}.` };
}

/** Characters that JSON does not escape but a terminal obeys: control and direction characters. */
const STEERING = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** Writes one line of JSON that is safe to print. */
export function toLine(answer: Answer): string {
  return JSON.stringify(answer).replace(STEERING, escapeUnit);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
