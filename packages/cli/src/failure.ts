import { EXIT, UserError } from './user-error.ts';

/** The exit codes of `srup ctl`, which the help of every command shows. */
export const CTL_EXIT = { ...EXIT, unreachable: 3, interrupted: 130 } as const;

/** A failure of a command that was used correctly. It is shown as two lines like a mistake, with its own exit code. */
export class Failure extends UserError {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, hint: string) {
    super(message, hint);
    this.exitCode = exitCode;
  }
}

/** The server or a device refused. */
export function refused(message: string, hint: string): Failure {
  return new Failure(CTL_EXIT.refused, message, hint);
}

/** There is no answer, or none that can be trusted. */
export function unreachable(message: string, hint: string): Failure {
  return new Failure(CTL_EXIT.unreachable, message, hint);
}
