import { isAbsolute } from 'node:path';
import * as v from 'valibot';
import type { SuiteName } from '@srup/protocol';

/** A mistake in the configuration, with where it is and what is allowed there. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const text = v.pipe(v.string(), v.minLength(1));
/** Program and arguments, started without a shell. */
const command = v.pipe(v.array(text), v.minLength(1));
const seconds = (most: number) => v.pipe(v.number(), v.minValue(0), v.maxValue(most));
const count = (least: number, most: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));
const bytes = count(1, Number.MAX_SAFE_INTEGER);
const url = v.pipe(v.string(), v.url());
const path = v.pipe(text, v.check(isAbsolute, 'must be an absolute path'));

/** What pySRUP signs with (P 4.2). */
const REFERENCE_SUITE: SuiteName = 'rsa-sha256';

const DAY = 86_400;
const MIB = 2 ** 20;

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
    retrySeconds: v.exactOptional(count(60, DAY), 900),
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
const software = v.strictObject({
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
  stepSeconds: v.exactOptional(seconds(DAY), 1800),
  /** What runs until the first update: copied into a slot of its own at the first start. */
  factory: v.exactOptional(path),
  /** Is the artifact a tar to be unpacked? `auto`: told by its first bytes. */
  unpack: v.exactOptional(v.picklist(['auto', 'always', 'never']), 'auto'),
  /** From SIGTERM to SIGKILL. */
  stopSeconds: v.exactOptional(seconds(600), 10),
  restart: v.exactOptional(
    v.strictObject({
      leastSeconds: v.exactOptional(seconds(3600), 1),
      mostSeconds: v.exactOptional(seconds(DAY), 60),
    }),
    {},
  ),
  preconditions: v.exactOptional(v.array(precondition), []),
  /** Good versions that are kept beside the current one (P 10.4), and as many others, staged or old. */
  keep: v.exactOptional(count(1, 100), 2),
});

/** When is new software healthy? All that is named must hold (P 10.1). */
const health = v.strictObject({
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

const fetching = v.strictObject({
  /** Plain http is taken too: for tests only (P 10.2). */
  allowHttp: v.exactOptional(v.boolean(), false),
  /** Hosts that software may come from; absent: any. */
  hosts: v.exactOptional(v.array(text)),
  /** Whose TLS certificates count: `auto`, the pinned CA for the key service's host and the system's for others. */
  trust: v.exactOptional(v.picklist(['auto', 'pinned', 'system']), 'auto'),
  maxBytes: v.exactOptional(bytes, 2048 * MIB),
  /** Of a tar, unpacked. */
  maxUnpackedBytes: v.exactOptional(bytes, 4096 * MIB),
  maxEntries: v.exactOptional(count(1, 1_000_000), 50_000),
  maxRedirects: v.exactOptional(count(0, 20), 5),
  /** Slower than this, over `windowSeconds`, counts as no answer. */
  minBytesPerSecond: v.exactOptional(count(0, 1_000_000_000), 256),
  windowSeconds: v.exactOptional(seconds(3600), 60),
  /** Tries after an interruption, each going on where the last one stopped. */
  attempts: v.exactOptional(count(1, 1000), 10),
  /** For one download with all its tries. */
  deadlineSeconds: v.exactOptional(seconds(30 * DAY), DAY),
});

const actionId = v.pipe(v.string(), v.regex(/^[0-9a-f]{2}$/, 'an action id is two lower-case hex digits'));

const actions = v.strictObject({
  /** Action id (two hex digits) to the command that does it; the built-in table of P 10.5 has what isn't here. */
  commands: v.exactOptional(v.record(actionId, command), {}),
  /** Dangerous built-in actions (03, 09) that this device obeys (P 10.5). */
  allow: v.exactOptional(v.array(actionId), []),
  timeoutSeconds: v.exactOptional(seconds(DAY), 60),
});

/** How the value of a data id is written (P 10.6). */
export const DATA_TYPES = [
  'text',
  'bytes',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float',
  'double',
] as const;
export type DataType = (typeof DATA_TYPES)[number];

const data = v.strictObject({
  /** Data id to its type; ids that are not here are read by the rule of P 10.6. */
  types: v.exactOptional(v.record(text, v.picklist(DATA_TYPES)), {}),
  /** Ids that are not in `types` are refused with 3F. */
  strict: v.exactOptional(v.boolean(), false),
  /** Called with the id as `{id}` and the bytes on stdin. */
  command: v.exactOptional(command),
  /** Without `command`: the supervised program reads JSON lines from its stdin. */
  stdin: v.exactOptional(v.boolean(), false),
  /**
   * Unix socket on which programs of this device report readings and, without `command`, take data, a line each, as by
   * stdout and stdin. Who may open it is decided by its folder. The supervised program finds it in SRUP_SOCKET.
   */
  socket: v.exactOptional(path),
});

const schema = v.strictObject({
  /** Base URL of the key service (P 8). */
  url,
  /** SHA-256 of the service's CA certificate, hex, with or without colons (P 8.6). */
  caFingerprint: v.exactOptional(
    v.pipe(
      v.string(),
      v.transform((value) => value.replaceAll(':', '').toLowerCase()),
      v.regex(/^[0-9a-f]{64}$/, 'a fingerprint is 64 hex digits (SHA-256)'),
    ),
  ),
  /** PEM file with the service's CA certificate, instead of the fingerprint. */
  caFile: v.exactOptional(path),
  /** Device type, as the server's policies name it. */
  type: v.pipe(
    v.string(),
    v.regex(
      /^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$/,
      'a type is 1 to 64 letters, digits, dots, dashes, underscores, spaces',
    ),
  ),
  /** ed25519 unless told; with a reference server, rsa-sha256, which is all that it knows. */
  suite: v.exactOptional(v.picklist(['ed25519', 'rsa-sha256', 'ml-dsa-65'])),
  /** A pySRUP key service and C2 server are taken: they prove less, and are told less (P 8.2, 10.11). */
  referenceServer: v.exactOptional(v.boolean(), false),
  /** Wanted by key services that are not open to everyone (P 8.4). Taken out of the file once it was used. */
  enrolmentCode: v.exactOptional(text),
  /** MQTT without TLS is spoken to a broker that has none: others can read along. For tests only (P 7.5). */
  insecurePlainMqtt: v.exactOptional(v.boolean(), false),
  /** After a deregistration: `no` stays unregistered until told, `yes` registers anew (P 10.8). */
  rejoin: v.exactOptional(v.picklist(['no', 'yes']), 'no'),
  software: v.exactOptional(software, {}),
  health: v.exactOptional(health, {}),
  fetch: v.exactOptional(fetching, {}),
  actions: v.exactOptional(actions, {}),
  data: v.exactOptional(data, {}),
  logLevel: v.exactOptional(v.picklist(['debug', 'info', 'warn', 'error']), 'info'),
});

/** As written in a file: whatever has a default may be absent. */
export type AgentConfigInput = v.InferInput<typeof schema>;
/** Checked and complete. */
export type AgentConfig = v.InferOutput<typeof schema> & { readonly suite: SuiteName };

/** Of an object, valibot speaks of types where a person has misspelt or forgotten a name. */
function wordsOf({ type, expected, message }: v.BaseIssue<unknown>): string {
  if (type !== 'strict_object') return message;
  return expected === 'never' ? 'there is no such key' : message.replace(/^Invalid key/, 'Missing key');
}

/** The configuration with its defaults. `ConfigError` names every mistake. `origin`: a file name, for the message. */
export function parseConfig(value: unknown, origin: string): AgentConfig {
  const result = v.safeParse(schema, value);
  if (!result.success) {
    const mistakes = result.issues.map((issue) => `  ${v.getDotPath(issue) ?? 'all'}: ${wordsOf(issue)}`);
    throw new ConfigError(`${origin} has mistakes:\n${mistakes.join('\n')}`);
  }
  const { referenceServer, suite = referenceServer ? REFERENCE_SUITE : 'ed25519' } = result.output;
  const config = { ...result.output, suite };
  const { installer } = config.software;
  const needed = ({ file: 'target', command: 'command', process: undefined } as const)[installer];
  if (needed !== undefined && config.software[needed] === undefined) {
    throw new ConfigError(
      `${origin} has mistakes:\n  software.${needed}: needed by the installer "${installer}"`,
    );
  }
  if (config.caFile !== undefined && config.caFingerprint !== undefined) {
    throw new ConfigError(`${origin} has mistakes:\n  caFile: give this or caFingerprint, not both`);
  }
  if (referenceServer && suite !== REFERENCE_SUITE) {
    throw new ConfigError(
      `${origin} has mistakes:\n  suite: a reference server knows ${REFERENCE_SUITE} only (referenceServer)`,
    );
  }
  return config;
}
