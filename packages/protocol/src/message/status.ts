/** Status bytes of RESPONSE (P 3). */
export const STATUS = {
  UPDATE_SUCCESS: 0x00,
  UPDATE_FAIL_HTTP_ERROR: 0xfc,
  UPDATE_FAIL_SERVER: 0xfd,
  UPDATE_FAIL_FILE: 0xfe,
  UPDATE_FAIL_DIGEST: 0xff,
  ACTIVATE_SUCCESS: 0x10,
  ACTIVATE_DEFERRED: 0x1d,
  ACTIVATE_FAIL: 0x1f,
  ACTION_SUCCESS: 0x20,
  ACTION_UNKNOWN: 0x2e,
  ACTION_FAIL: 0x2f,
  DATA_TYPE_UNKNOWN: 0x3f,
  JOIN_SUCCESS: 0x50,
  JOIN_REFUSED: 0x5e,
  JOIN_FAIL: 0x5f,
  OBSERVED_JOIN_VALID: 0x60,
  OBSERVED_JOIN_INVALID: 0x6e,
  OBSERVED_JOIN_FAIL: 0x6f,
  RESIGN_SUCCESS: 0x70,
  RESIGN_FAIL: 0x7f,
  DEREGISTER_SUCCESS: 0x80,
  DEREGISTER_FAIL: 0x8f,
} as const;

export type StatusName = keyof typeof STATUS;
export type StatusCode = (typeof STATUS)[StatusName];

/** What a status byte means, for people: a part of a sentence, without a full stop. */
export const STATUS_MEANING: Readonly<Record<StatusName, string>> = {
  UPDATE_SUCCESS: 'update fetched and verified',
  UPDATE_FAIL_HTTP_ERROR: 'the file server answered with an HTTP error',
  UPDATE_FAIL_SERVER: 'the file server did not answer',
  UPDATE_FAIL_FILE: 'the file could not be retrieved',
  UPDATE_FAIL_DIGEST: 'the digest of the file is another one',
  ACTIVATE_SUCCESS: 'the new software is running',
  ACTIVATE_DEFERRED: 'activation deferred by the device',
  ACTIVATE_FAIL: 'activation failed and was reverted',
  ACTION_SUCCESS: 'action done',
  ACTION_UNKNOWN: 'the device does not know this action',
  ACTION_FAIL: 'action failed',
  DATA_TYPE_UNKNOWN: 'data id or type unknown',
  JOIN_SUCCESS: 'join accepted',
  JOIN_REFUSED: 'join refused: try another kind of join',
  JOIN_FAIL: 'join failed',
  OBSERVED_JOIN_VALID: 'the observer read the right code',
  OBSERVED_JOIN_INVALID: 'the observer read another code',
  OBSERVED_JOIN_FAIL: 'the observer read no code in time',
  RESIGN_SUCCESS: 'resigned',
  RESIGN_FAIL: 'resigning failed',
  DEREGISTER_SUCCESS: 'deregistered',
  DEREGISTER_FAIL: 'deregistering failed',
};

const NAMES: ReadonlyMap<number, StatusName> = new Map(
  (Object.keys(STATUS) as StatusName[]).map((name) => [STATUS[name], name]),
);

/**
 * The name of a status byte; undefined for a byte that has none.
 *
 * @example
 * statusName(0x10); // 'ACTIVATE_SUCCESS'
 */
export function statusName(code: number): StatusName | undefined {
  return NAMES.get(code);
}
