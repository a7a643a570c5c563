export type KeyCode =
  | 'KEY_WEAK' // too short, an odd exponent, a point of low order
  | 'KEY_UNSUPPORTED' // a kind of key that no suite uses, or a system that cannot use it safely
  | 'KEY_MALFORMED'; // no key at all

/** A key that can't be used. The message says what is wrong, why, and what to do. It never holds key material. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
  readonly code: KeyCode;

  constructor(code: KeyCode, message: string) {
    super(message);
    this.code = code;
  }
}
