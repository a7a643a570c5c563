import { resolve } from 'node:path';
import { mustHold } from '../must-hold.ts';
import { createOutput } from '../screen/output.ts';
import { parseDuration } from '../screen/parse.ts';
import { exactTime } from '../screen/words.ts';
import { UserError } from '../user-error.ts';
import type { AskOptions } from './ask.ts';

const DEFAULT_REASON = "deferred by the device's owner";

/** Runs `srup agent defer`, the owner's deferral (P 10.11). `time` is a length of time, or `off`. */
export async function defer(time: string, options: AskOptions & { readonly reason?: string }): Promise<void> {
  const { homeAt, MAX_DEFERRAL_MS, deferUpdates } = await import('@srup/agent');
  const folder = resolve(options.home);
  const output = createOutput(options.json === true);
  const length = time === 'off' ? 0 : parseDuration(time);
  if (length > MAX_DEFERRAL_MS) {
    throw new UserError(
      `${time} is longer than an update can wait`,
      'Give 7d or less: after a week the server has to start the update again.',
    );
  }
  // Every agent makes this folder, also one inside a program. In another folder nobody would read the deferral.
  await mustHold(folder, 'software', 'agent', '--home');
  const until = Date.now() + length;
  const reason = options.reason ?? DEFAULT_REASON;
  try {
    await deferUpdates(folder, length === 0 ? undefined : { reason, until });
  } catch (error) {
    throw new UserError(
      `${homeAt(folder).deferral} can't be written: ${(error as Error).message}`,
      'Run this as the user that runs the agent.',
    );
  }
  output.result(length === 0 ? { deferred: false } : { deferred: true, reason, until }, () => {
    output.line(
      length === 0
        ? 'New software can be activated again. The server asks at the time that it was given.'
        : `New software is not activated before ${exactTime(until)}. The server learns the reason, and asks again then.`,
    );
  });
}
