import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ok, untried, warning, type Judgement } from './finding.ts';

const TIMEOUT_MS = 5_000;

/**
 * Whether something keeps the clock of this machine right: a server has no other clock to compare its own with.
 * `program`: systemd's timedatectl, which asks the kernel.
 */
export async function checkClock(program = 'timedatectl'): Promise<Judgement> {
  const asked = ['show', '--property=NTPSynchronized', '--value'];
  const said = await promisify(execFile)(program, asked, { timeout: TIMEOUT_MS }).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (said === 'yes') return ok('the clock is kept right (NTP)');
  if (said === 'no')
    return warning(
      'nothing keeps the clock right',
      'Switch NTP on: timedatectl set-ntp true. Ends of tokens, codes and certificates rest on it.',
    );
  return untried(
    `whether the clock is right (timedatectl says nothing): it says ${new Date().toISOString()}`,
  );
}
