/** Why a request can't be met: one closed list, with the HTTP status of each. */

/** `store`, `starting` and `internal` are the server's own trouble; the others are about the request. */
export const FAULT_STATUS = {
  invalid: 400,
  empty: 400,
  unauthenticated: 401,
  'setup-token': 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  'digest-mismatch': 422,
  internal: 500,
  store: 503,
  starting: 503,
  'no-space': 507,
} as const;

export type FaultKind = keyof typeof FAULT_STATUS;

/**
 * A request that can't be met. The message is for the person who made the request: what happened, why, what to do.
 *
 * @example
 * throw new FleetError('not-found', `no device ${id} is known`);
 */
export class FleetError extends Error {
  override readonly name = 'FleetError';
  readonly kind: FaultKind;

  constructor(kind: FaultKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
