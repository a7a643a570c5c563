import * as v from 'valibot';
import { command, count, DAY_SECONDS, path, seconds, text, url } from './forms.ts';

/** What must hold before a switch (P 10.11): one of `command`, `batteryPercent`, `freeMiB`. */
const precondition = v.pipe(
  v.strictObject({
    /** Exit code 0: go on. Another: not now; what it prints says why, see docs/installers.md. */
    command: v.exactOptional(command),
    timeoutSeconds: v.exactOptional(seconds(600), 30),
    /** Mains power, or this much charge; a device without a battery has mains power. */
    batteryPercent: v.exactOptional(count(1, 100)),
    /** Free on the disk of `path`, which is that of the agent's software unless told. */
    freeMiB: v.exactOptional(count(1, 2 ** 40)),
    path: v.exactOptional(path),
    /** Told instead of what was found. */
    reason: v.exactOptional(text),
    /** When the server may ask again. */
    retrySeconds: v.exactOptional(count(60, DAY_SECONDS), 900),
  }),
  v.check(
    ({ command, batteryPercent, freeMiB }) =>
      [command, batteryPercent, freeMiB].filter((one) => one !== undefined).length === 1,
    'needs exactly one of command, batteryPercent, freeMiB',
  ),
);

/**
 * `process`: the agent runs the program. `file`: the artifact is data, put at `target` for a program of others.
 * `command`: `command` installs, docs/installers.md has the contract.
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
  /** installer file with `command`: how the program is told of new data, by a restart or by SIGHUP. */
  reload: v.exactOptional(v.picklist(['restart', 'hangup']), 'restart'),
  /** installer command: for one step of it. */
  stepSeconds: v.exactOptional(seconds(DAY_SECONDS), 1800),
  /** What runs until the first update: copied into a slot of its own at the first start. */
  factory: v.exactOptional(path),
  /** Is the artifact a tar to be unpacked? `auto`: told by its first bytes. */
  unpack: v.exactOptional(v.picklist(['auto', 'always', 'never']), 'auto'),
  /** From SIGTERM to SIGKILL. */
  stopSeconds: v.exactOptional(seconds(600), 10),
  restart: v.exactOptional(
    v.strictObject({
      leastSeconds: v.exactOptional(seconds(3600), 1),
      mostSeconds: v.exactOptional(seconds(DAY_SECONDS), 60),
    }),
    {},
  ),
  preconditions: v.exactOptional(v.array(precondition), []),
  /** Good versions that are kept beside the current one (P 10.4), and as many others, staged or old. */
  keep: v.exactOptional(count(1, 100), 2),
});

/** When is new software healthy? All that is named must hold (P 10.1). */
export const health = v.strictObject({
  /** The program stays alive for this long. */
  aliveSeconds: v.exactOptional(seconds(3600), 5),
  /** Exit code 0 within `timeoutSeconds` says healthy. */
  command: v.exactOptional(command),
  /** Status 2xx says healthy. */
  url: v.exactOptional(url),
  /** For one try of `command` or `url`. */
  timeoutSeconds: v.exactOptional(seconds(600), 10),
  /** For all tries together; then the update is reverted. */
  deadlineSeconds: v.exactOptional(seconds(3600), 60),
});
