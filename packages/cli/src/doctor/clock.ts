import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ok, untried, warning, type Judgement } from './finding.ts';

const TIMEOUT_MS = 5_000;

/**
 * Checks whether a time service keeps the clock of this machine right, as a server has no other clock to compare with.
 * `program` is systemd's timedatectl, which asks the kernel.
 */
export async function checkClock(program = 'timedatectl'): Promise<Judgement> {
  const asked = ['show', '--property=NTPSynchronized', '--value'];
  const said = await promisify(execFile)(program, asked, { timeout: TIMEOUT_MS }).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (said === 'yes') return ok('the clock is synchronized (NTP)');
  if (said === 'no')
    return warning(
      'the clock is not synchronized',
      'Switch NTP on: timedatectl set-ntp true. The expiry of tokens, codes and certificates depends on it.',
    );
  return untried(
    `whether the clock is right (timedatectl does not answer); it shows ${new Date().toISOString()}`,
  );
}
