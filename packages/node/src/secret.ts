import { inspect } from 'node:util';

const SHOWN = '[secret]';

/**
 * A text that must not be logged or serialised by accident: a private key, a password, an enrolment code.
 *
 * @example
 * const password = new Secret('correct horse');
 * console.log(`${password}`); // [secret]
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself. Call it where the text is used, and keep no copy. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}
