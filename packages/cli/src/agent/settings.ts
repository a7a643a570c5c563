import { access, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { AgentConfig, AgentConfigInput } from '@srup/agent';
import { UserError } from '../user-error.ts';

/** The options of `srup agent`, which a device remembers. */
export interface SettingOptions {
  readonly url?: string;
  readonly caFingerprint?: string;
  readonly caFile?: string;
  readonly type?: string;
  readonly suite?: string;
  readonly enrolmentCode?: string;
  readonly referenceServer?: true;
  readonly rejoin?: true;
  readonly insecurePlainMqtt?: true;
  readonly program?: string;
  readonly run?: string;
  readonly installer?: string;
  readonly target?: string;
  readonly healthAlive?: string;
  readonly healthCommand?: string;
  readonly healthUrl?: string;
  readonly allowAction?: readonly string[];
  readonly host?: readonly string[];
  readonly allowHttp?: true;
}

/** Holds a code that must not show in the list of processes. */
const CODE_VARIABLE = 'SRUP_ENROLMENT_CODE';

/** The enrolment code, from the option or the environment. */
export function codeOf({ enrolmentCode }: Pick<SettingOptions, 'enrolmentCode'>): string | undefined {
  const code = enrolmentCode ?? process.env[CODE_VARIABLE];
  return code === '' ? undefined : code;
}

type Json = Record<string, unknown>;

/**
 * Reads the configuration of the agent in this folder, adds what the command line gives, and writes the file back if
 * something was added. `isFirst`: there was no file. Throws `UserError` for mistakes in either.
 */
export async function settle(
  folder: string,
  options: SettingOptions,
): Promise<{ readonly config: AgentConfig; readonly isFirst: boolean }> {
  const { homeAt, parseConfig } = await import('@srup/agent');
  const { config: file } = homeAt(folder);
  const stored = await readStored(file);
  const added = fromOptions(options);
  if (stored === undefined && (options.url === undefined || options.type === undefined)) {
    throw new UserError(
      `there is no agent in ${folder} yet`,
      'Name the server to register with: srup agent --url https://SERVER:8443 --ca-fingerprint FINGERPRINT --type TYPE',
    );
  }
  const wanted = merge(stored ?? {}, added) as unknown as AgentConfigInput;
  const config =
    stored === undefined
      ? checked(() => parseConfig(wanted, 'what you gave'), SEE_HELP)
      : checked(() => parseConfig(wanted, file), SEE_KEYS);
  const before = stored as Partial<AgentConfigInput> | undefined;
  await mustExist('--program', config.software.factory, before?.software?.factory);
  await mustExist('--ca-file', config.caFile, before?.caFile);
  if (stored === undefined || Object.keys(added).length > 0) await write(folder, file, wanted);
  return { config, isFirst: stored === undefined };
}

/** Stores the code for the next start, in case the device loses power before it uses the code. */
export async function keepCode(folder: string, enrolmentCode: string): Promise<void> {
  const { homeAt } = await import('@srup/agent');
  const { config: file } = homeAt(folder);
  await write(folder, file, { ...(await readStored(file)), enrolmentCode });
}

/** Removes the code, which has been used and is useless now. */
export async function forgetCode(folder: string): Promise<void> {
  const { homeAt } = await import('@srup/agent');
  const { config: file } = homeAt(folder);
  const { enrolmentCode, ...rest } = (await readStored(file)) ?? {};
  if (enrolmentCode !== undefined) await write(folder, file, rest);
}

async function write(folder: string, file: string, config: object): Promise<void> {
  const { makePrivateFolder, writeFileAtomic } = await import('@srup/node');
  try {
    await makePrivateFolder(folder);
    await writeFileAtomic(file, `${JSON.stringify(config, undefined, 2)}\n`);
  } catch (error) {
    throw new UserError(`${file} can't be written: ${(error as Error).message}`, 'Choose another --home.');
  }
}

async function readStored(file: string): Promise<Json | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new UserError(
      `${file} can't be read: ${message}`,
      'Run this as the user that runs the agent, or choose another --home.',
    );
  });
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new UserError(
      `${file} is not JSON: ${(error as Error).message}`,
      'Correct it, or remove it and give all options again.',
    );
  }
}

/** Checks that the files of options exist. A file named by agent.json was used by an earlier start and may be gone. */
async function mustExist(
  option: string,
  path: string | undefined,
  before: string | undefined,
): Promise<void> {
  if (path === undefined || path === before) return;
  await access(path).catch(() => {
    throw new UserError(`${path} (${option}) does not exist`, 'Give the path of a file that exists.');
  });
}

const SEE_HELP = '"srup agent --help" lists the options.';
const SEE_KEYS = `docs/operation.md, "The device's configuration", lists what agent.json can hold.`;

function checked(parse: () => AgentConfig, hint: string): AgentConfig {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ConfigError') throw error;
    throw new UserError(error.message, hint);
  }
}

function fromOptions(options: SettingOptions): Json {
  return compact({
    url: options.url,
    // Only one of them counts: the new one replaces the other.
    ...(options.caFingerprint !== undefined && { caFingerprint: options.caFingerprint, caFile: null }),
    ...(options.caFile !== undefined && { caFile: resolve(options.caFile), caFingerprint: null }),
    type: options.type,
    suite: options.suite,
    enrolmentCode: codeOf(options),
    referenceServer: options.referenceServer,
    rejoin: options.rejoin && 'yes',
    insecurePlainMqtt: options.insecurePlainMqtt,
    software: compact({
      installer: options.installer,
      factory: options.program && resolve(options.program),
      command: options.run && words(options.run),
      target: options.target && resolve(options.target),
    }),
    health: compact({
      aliveSeconds: options.healthAlive && Number(options.healthAlive),
      command: options.healthCommand && words(options.healthCommand),
      url: options.healthUrl,
    }),
    fetch: compact({ hosts: options.host, allowHttp: options.allowHttp }),
    actions: compact({ allow: options.allowAction }),
  });
}

/** Splits a command at its blanks, without a shell. A command whose words hold blanks has to be written in agent.json. */
function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

function compact(fields: Json): Json {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => {
      if (value === undefined) return false;
      return !isPlain(value) || Object.keys(value).length > 0;
    }),
  );
}

/** Merges two configurations: `added` wins, and null removes. */
function merge(stored: Json, added: Json): Json {
  const merged: Json = { ...stored };
  for (const [name, value] of Object.entries(added)) {
    const before = merged[name];
    if (value === null) Reflect.deleteProperty(merged, name);
    else merged[name] = isPlain(value) && isPlain(before) ? merge(before, value) : value;
  }
  return merged;
}

function isPlain(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
