/** A mistake of the person who runs the command. It is shown as two lines, with exit code 2 and no stack trace. */
export class UserError extends Error {
  override readonly name = 'UserError';
  /** What to do about it, in one sentence. */
  readonly hint: string;

  /** @param message what happened and why, in one sentence */
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** An error that was already reported in the requested form; only the exit code is left. */
export class ToldError extends Error {
  override readonly name = 'ToldError';
  readonly exitCode: number;

  constructor(exitCode: number, cause: unknown) {
    super('already reported', { cause });
    this.exitCode = exitCode;
  }
}

/** The exit codes of every command. Commands that use a server also have 3, "can't be reached". */
export const EXIT = { ok: 0, refused: 1, usage: 2, fault: 4 } as const;
