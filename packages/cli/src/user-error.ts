/** A mistake of the person who runs the command: two lines and exit code 2, never a stack trace. */
export class UserError extends Error {
  override readonly name = 'UserError';
  /** What to do about it: one sentence. */
  readonly hint: string;

  /** @param message what happened and why: one sentence */
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** What ended a command was told already, in the form that was asked for: only the exit code is left. */
export class ToldError extends Error {
  override readonly name = 'ToldError';
  readonly exitCode: number;

  constructor(exitCode: number, cause: unknown) {
    super('told already', { cause });
    this.exitCode = exitCode;
  }
}

/** Exit codes of every command; 3 is "can't be reached" where a command asks a server. */
export const EXIT = { ok: 0, refused: 1, usage: 2, fault: 4 } as const;
