import * as v from 'valibot';
import { command, count, DAY_SECONDS, path, seconds, text, url } from './forms.ts';

/** A condition that must hold before a switch (P 10.11): one of `command`, `batteryPercent`, `freeMiB`. */
const precondition = v.pipe(
  v.strictObject({
    /** Exit code 0: go on. Any other defers the switch, and the output says why: see docs/installers.md. */
    command: v.exactOptional(command),
    timeoutSeconds: v.exactOptional(seconds(600), 30),
    /** Mains power, or this much charge; a device without a battery has mains power. */
    batteryPercent: v.exactOptional(count(1, 100)),
    /** Free space on the disk of `path`; by default, on the disk of the agent's software. */
    freeMiB: v.exactOptional(count(1, 2 ** 40)),
    path: v.exactOptional(path),
    /** The reason that the server hears, instead of what was found. */
    reason: v.exactOptional(text),
    /** When the server can ask again. */
    retrySeconds: v.exactOptional(count(60, DAY_SECONDS), 900),
  }),
  v.check(
    ({ command, batteryPercent, freeMiB }) =>
      [command, batteryPercent, freeMiB].filter((one) => one !== undefined).length === 1,
    'needs exactly one of command, batteryPercent, freeMiB',
  ),
);

/**
 * `process`: the agent runs the program. `file`: the artifact is data, copied to `target` for another program.
 * `command`: `command` installs; docs/installers.md has the contract.
 */
export const software = v.strictObject({
  installer: v.exactOptional(v.picklist(['process', 'file', 'command']), 'process'),
  /**
   * The program that the agent keeps alive. `{path}` stands for the artifact (a file, or the folder that a tar
   * was unpacked to), `{slot}` for the folder that holds what is to run, `{node}` for this Node, and with installer
   * file `{target}` for that path. Absent: with installer process, the artifact is the program itself; with installer
   * file, the agent keeps none alive. Installer command: what installs, called with a step as its next argument.
   */
  command: v.exactOptional(command),
  env: v.exactOptional(v.record(text, v.string()), {}),
  /** installer file: where a copy of the current artifact is put, never unpacked. */
  target: v.exactOptional(path),
  /** installer file: run after the switch; other than exit code 0 reverts. Braces as in `command`. */
  notify: v.exactOptional(command),
  /** installer file with `command`: how the program learns of new data, by a restart or by SIGHUP. */
  reload: v.exactOptional(v.picklist(['restart', 'hangup']), 'restart'),
  /** installer command: timeout of each step. */
  stepSeconds: v.exactOptional(seconds(DAY_SECONDS), 1800),
  /** The file that runs until the first update. It is copied into a slot at the first start. */
  factory: v.exactOptional(path),
  /** Is the artifact a tar that is unpacked? `auto`: its first bytes decide. */
  unpack: v.exactOptional(v.picklist(['auto', 'always', 'never']), 'auto'),
  /** Time from SIGTERM to SIGKILL. */
  stopSeconds: v.exactOptional(seconds(600), 10),
  restart: v.exactOptional(
    v.strictObject({
      leastSeconds: v.exactOptional(seconds(3600), 1),
      mostSeconds: v.exactOptional(seconds(DAY_SECONDS), 60),
    }),
    {},
  ),
  preconditions: v.exactOptional(v.array(precondition), []),
  /** How many good versions are kept beside the current one (P 10.4), and as many others, staged or old. */
  keep: v.exactOptional(count(1, 100), 2),
});

/** The conditions of healthy software. All that are given must hold (P 10.1). */
export const health = v.strictObject({
  /** The program stays alive for this long. */
  aliveSeconds: v.exactOptional(seconds(3600), 5),
  /** Exit code 0 within `timeoutSeconds` means healthy. */
  command: v.exactOptional(command),
  /** Status 2xx means healthy. */
  url: v.exactOptional(url),
  /** Timeout of one try of `command` or `url`. */
  timeoutSeconds: v.exactOptional(seconds(600), 10),
  /** Timeout of all tries together; then the update is reverted. */
  deadlineSeconds: v.exactOptional(seconds(3600), 60),
});
