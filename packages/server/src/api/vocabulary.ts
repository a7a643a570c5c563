import {
  AUTH_CODES,
  EFFECT_CODES,
  FLOW_CODES,
  REPLAY_CODES,
  WIRE_CODES,
  type FaultCode,
} from '@srup/protocol';

/** The protocol's own words, so that API and screen use no others. */
export const FAULTS: [FaultCode, ...FaultCode[]] = [
  ...WIRE_CODES,
  ...AUTH_CODES,
  ...REPLAY_CODES,
  ...FLOW_CODES,
  ...EFFECT_CODES,
];
