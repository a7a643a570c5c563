import * as v from 'valibot';
import type { SuiteName } from '@srup/protocol';
import { actions } from './actions.ts';
import { data } from './data.ts';
import { fetching } from './fetch.ts';
import { path, text, url } from './forms.ts';
import { health, software } from './software.ts';

/** A mistake in the configuration: where it is, and what is allowed there. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The suite of pySRUP (P 4.2). */
const REFERENCE_SUITE: SuiteName = 'rsa-sha256';

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
  /** Device type, by which the server's policies name it. */
  type: v.pipe(
    v.string(),
    v.regex(
      /^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$/,
      'a type is 1 to 64 letters, digits, dots, dashes, underscores, spaces',
    ),
  ),
  /** By default ed25519; with a reference server rsa-sha256, the only suite that it knows. */
  suite: v.exactOptional(v.picklist(['ed25519', 'rsa-sha256', 'ml-dsa-65'])),
  /** Accepts a pySRUP key service and C2 server. They prove less, and hear less of the device (P 8.2, 10.11). */
  referenceServer: v.exactOptional(v.boolean(), false),
  /** For key services that are not open to everyone (P 8.4). Removed from the file once it was used. */
  enrolmentCode: v.exactOptional(text),
  /** Speaks MQTT without TLS to a broker that has none: others can read everything. For tests only (P 7.5). */
  insecurePlainMqtt: v.exactOptional(v.boolean(), false),
  /** After a deregistration: `no` waits for an order, `yes` registers anew (P 10.8). */
  rejoin: v.exactOptional(v.picklist(['no', 'yes']), 'no'),
  software: v.exactOptional(software, {}),
  health: v.exactOptional(health, {}),
  fetch: v.exactOptional(fetching, {}),
  actions: v.exactOptional(actions, {}),
  data: v.exactOptional(data, {}),
  logLevel: v.exactOptional(v.picklist(['debug', 'info', 'warn', 'error']), 'info'),
});

/** The configuration as written in a file: whatever has a default can be absent. */
export type AgentConfigInput = v.InferInput<typeof schema>;
/** The configuration, checked and complete. */
export type AgentConfig = v.InferOutput<typeof schema> & { readonly suite: SuiteName };

/** Valibot speaks of types where a person has misspelt or forgotten a name. */
function wordsOf({ type, expected, message }: v.BaseIssue<unknown>): string {
  if (type !== 'strict_object') return message;
  return expected === 'never' ? 'there is no such key' : message.replace(/^Invalid key/, 'Missing key');
}

/**
 * Checks a configuration and fills in its defaults. `ConfigError` names every mistake. `origin`: a file name, for the
 * message.
 *
 * @example
 * parseConfig({ url: 'https://fleet.example:8443', type: 'pump' }, 'agent.json').software.stopSeconds; // 10
 */
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
