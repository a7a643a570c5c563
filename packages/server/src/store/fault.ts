/** The state could not be committed (`EFFECT_STORE`). Nothing has changed, so the message is not acknowledged. */
export class StoreFault extends Error {
  override readonly name = 'StoreFault';
  readonly code = 'EFFECT_STORE';
}

/** The database can't be used. The message says why, then what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}
