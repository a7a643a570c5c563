import { EXIT, UserError } from './user-error.ts';

/** Exit codes of `srup ctl`; the help of every command ends with them. */
export const CTL_EXIT = { ...EXIT, unreachable: 3, interrupted: 130 } as const;

/** The command was right and yet nothing came of it: said in two lines like a mistake, with another exit code. */
export class Failure extends UserError {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, hint: string) {
    super(message, hint);
    this.exitCode = exitCode;
  }
}

/** The server, or a device, said no. */
export function refused(message: string, hint: string): Failure {
  return new Failure(CTL_EXIT.refused, message, hint);
}

/** No answer, or none that can be trusted. */
export function unreachable(message: string, hint: string): Failure {
  return new Failure(CTL_EXIT.unreachable, message, hint);
}
