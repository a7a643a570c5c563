/** The closed lists of words, so that API, documents and screens use the same ones and no others. */
import {
  AUTH_CODES,
  EFFECT_CODES,
  FLOW_CODES,
  REPLAY_CODES,
  SUITES,
  WIRE_CODES,
  type FaultCode,
  type JoinVerdict,
  type ServerExchange,
  type Standing,
  type SuiteName,
} from '@srup/protocol';

/** Codes with which a message is refused (docs/profile.md). */
export const FAULTS: [FaultCode, ...FaultCode[]] = [
  ...WIRE_CODES,
  ...AUTH_CODES,
  ...REPLAY_CODES,
  ...FLOW_CODES,
  ...EFFECT_CODES,
];

/** What a device is to this server (P 9). */
export const STANDINGS = wordsOf<Standing>({
  unknown: true,
  pending: true,
  refused: true,
  failed: true,
  joined: true,
  resigned: true,
  terminated: true,
  deregistered: true,
});

/** What a join gets (P 9.1). `ask` leaves it to an operator. */
export const JOIN_VERDICTS = wordsOf<JoinVerdict>({ accept: true, refuse: true, fail: true, ask: true });

export const EXCHANGE_KINDS = wordsOf<ServerExchange['kind']>({
  update: true,
  action: true,
  data: true,
  identify: true,
  join: true,
  leave: true,
});

/** Signature suites (P 4.1). */
export const SUITE_NAMES = Object.keys(SUITES) as SuiteName[];

/** `in`: the server accepted the message; `out`: it sent the message. */
export const DIRECTIONS = ['in', 'out'] as const;

/** What bytes of DATA are taken for (P 10.6). */
export const DATA_KINDS = ['text', 'int32', 'double', 'raw'] as const;

export const BROKER_KINDS = ['embedded', 'external'] as const;

/**
 * Whether the broker refuses every identity that was revoked. `current`: a trial showed that it does; `behind`: a
 * trial showed that it does not; `unproven`: there was no trial yet, or none is possible.
 */
export const REVOCATION_STATES = ['current', 'behind', 'unproven'] as const;

/** What an API token may do, from the least to the most. `permissions.ts` says what each adds. */
export const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** The compiler finds a word that is missing here. */
function wordsOf<Word extends string>(words: Readonly<Record<Word, true>>): Word[] {
  return Object.keys(words) as Word[];
}
