import { resolve } from 'node:path';
import { createOutput } from '../ctl/output.ts';
import { exactTime, parseDuration } from '../ctl/words.ts';
import { mustHold } from '../must-hold.ts';
import { UserError } from '../user-error.ts';
import type { AskOptions } from './ask.ts';

const DEFAULT_REASON = "put off by the device's owner";

/** `srup agent defer`: the owner's "not now" (P 10.11). `time`: a length of time, or `off`. */
export async function deferUpdates(
  time: string,
  options: AskOptions & { readonly reason?: string },
): Promise<void> {
  const { homeAt, MAX_DEFERRAL_MS, deferUpdates } = await import('@srup/agent');
  const folder = resolve(options.home);
  const output = createOutput(options.json === true);
  const length = time === 'off' ? 0 : parseDuration(time);
  if (length > MAX_DEFERRAL_MS) {
    throw new UserError(
      `${time} is longer than an update waits`,
      'Give 7d or less: after a week the server has to begin the update anew.',
    );
  }
  // Made by every agent, also by one that is built into a program. Elsewhere nobody would read the "not now".
  await mustHold(folder, 'software', 'agent', '--home');
  const until = Date.now() + length;
  const reason = options.reason ?? DEFAULT_REASON;
  try {
    await deferUpdates(folder, length === 0 ? undefined : { reason, until });
  } catch (error) {
    throw new UserError(
      `${homeAt(folder).deferral} can't be written: ${(error as Error).message}`,
      'Run this as the user whose agent it is.',
    );
  }
  output.result(length === 0 ? { deferred: false } : { deferred: true, reason, until }, () => {
    output.line(
      length === 0
        ? 'New software may be activated again. The server asks at the time that it was told.'
        : `New software is not activated before ${exactTime(until)}. The server is told why, and asks again then.`,
    );
  });
}
