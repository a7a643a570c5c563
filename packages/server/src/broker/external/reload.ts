import { execFile } from 'node:child_process';

const TIMEOUT_MS = 10_000;
/** Characters of the command's output that an error quotes. */
const MOST_QUOTED = 300;

/**
 * Runs the operator's command that makes a broker read its files again: program and arguments, no shell. Rejects when
 * the command fails or takes longer than 10 s; the error quotes what it printed.
 *
 * @example
 * await runReload(['systemctl', 'reload', 'mosquitto']);
 */
export function runReload([program = '', ...args]: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: TIMEOUT_MS, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (error === null) {
        resolve();
        return;
      }
      const output = (stderr || stdout).trim().slice(0, MOST_QUOTED);
      const how =
        error.killed === true
          ? `took longer than ${TIMEOUT_MS / 1000} s`
          : `failed (${String(error.code ?? error.signal)})`;
      reject(new Error(`the command "${program}" ${how}${output === '' ? '' : `: ${output}`}`));
    });
  });
}
