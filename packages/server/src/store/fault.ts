/** The state could not be committed (`EFFECT_STORE`). Nothing has changed, so the message is not acknowledged. */
export class StoreFault extends Error {
  override readonly name: string = 'StoreFault';
  readonly code = 'EFFECT_STORE';
}

/** The database is away: nothing of what was asked of it was done. */
export class DatabaseAway extends StoreFault {
  override readonly name = 'DatabaseAway';
}

/**
 * The database went away while it committed, and did not come back in time to say whether it had. What was to be stored
 * is stored, or it isn't: whoever is told must look before trying again. `Store.listen('recovered')` tells when the
 * database answers again.
 */
export class OutcomeUnknown extends StoreFault {
  override readonly name = 'OutcomeUnknown';
}

/**
 * The database is no longer what this process knows: another server has used it, or it went back in time. Whatever this
 * process remembers is wrong, for good. Nothing of what was asked was done.
 */
export class Ousted extends StoreFault {
  override readonly name = 'Ousted';
}

/**
 * Tells whether a fault of the store, or what led to it, is of this kind: work that shared a transaction has it as a
 * cause.
 *
 * @example
 * if (isFaultOf(fault, DatabaseAway)) return 'the database is away';
 */
export function isFaultOf(
  fault: unknown,
  kind: typeof DatabaseAway | typeof OutcomeUnknown | typeof Ousted,
): boolean {
  for (let at = fault; at instanceof Error; at = at.cause) if (at instanceof kind) return true;
  return false;
}

/** The database can't be used. The message says why, then what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}
