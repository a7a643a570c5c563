import type { Surroundings } from './surroundings.ts';
import { readBootId } from '../ground/boot-id.ts';
import { createProgramOutput, type ProgramOutput } from '../data/output.ts';
import { type LineSocket, openLineSocket } from '../data/socket.ts';
import type { FetchPorts, OnProgress } from '../software/fetch/fetch.ts';
import { SoftwareSwitch } from '../software/switch.ts';
import type { InstallStep } from '../software/switch-ports.ts';
import { collectPartials } from '../software/fetch/partial.ts';
import { openRecord, type RecordFile } from '../software/record.ts';
import { openSlots, type Slots } from '../software/slots.ts';
import { createTransport } from '../software/fetch/transport.ts';
import { askCommand, type CommandAnswer, type CommandResult, runCommand } from '../program/command.ts';
import { createCommandInstaller } from '../installers/command.ts';
import { fillCommand, makeEnvironment, SOCKET_NAME } from '../program/environment.ts';
import { createFileInstaller, type FileInstallerOptions } from '../installers/file.ts';
import { type Folders, openFolders } from '../software/folders.ts';
import { createHandlerInstaller, type SoftwareHandler } from '../installers/handler.ts';
import { judgeHealth } from '../program/health.ts';
import type { Installer } from '../software/installer.ts';
import { replaceMark } from '../program/orphans.ts';
import type { Deferral } from '../deferral/deferral.ts';
import { findDeferral } from '../deferral/preconditions.ts';
import { createProcessInstaller } from '../installers/process.ts';
import { readOwnerDeferral } from '../deferral/owner.ts';
import { createSupervisor, type Supervisor } from '../program/supervisor.ts';

export interface Hooks {
  /** Called before a switch, after the owner's conditions. A deferral stops the switch for now (P 10.11). */
  readonly defer?: ((digest: string) => Promise<Deferral | undefined>) | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly onStep?: ((step: InstallStep, digest: string) => void | Promise<void>) | undefined;
  /** Takes the software, in place of the configured installer. */
  readonly onUpdate?: SoftwareHandler | undefined;
}

/** The parts of the performers, over folders that are in order. */
export interface Parts {
  readonly folders: Folders;
  readonly slots: Slots;
  readonly record: RecordFile;
  readonly fetch: FetchPorts;
  readonly supervisor: Supervisor;
  readonly output: ProgramOutput;
  readonly socket: LineSocket | undefined;
  readonly installer: Installer;
  readonly switch: SoftwareSwitch;
  readonly run: RunConfigured;
}

/** Runs a command of the configuration within its timeout. */
export type RunConfigured = (
  argv: readonly string[],
  options: { readonly timeoutMs: number; readonly input?: Uint8Array; readonly signal: AbortSignal },
) => Promise<CommandResult>;

type AskConfigured = (
  argv: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
) => Promise<CommandAnswer>;

const MS = 1000;
const FETCH_BACKOFF = { leastMs: 500, mostMs: 60_000 };
/** Unfinished downloads that are kept for another try. */
const SPARE_PARTIALS = 2;

/** The one place where the performers' parts meet. */
export async function assemble(surroundings: Surroundings, hooks: Hooks): Promise<Parts> {
  const { config, home, log, clock, random } = surroundings;
  const { software, health } = config;
  const folders = await openFolders(home.software);
  const slots = await openSlots(folders.slots);
  await collectPartials(folders.downloads, new Set(), SPARE_PARTIALS);
  const stopMs = software.stopSeconds * MS;
  const { mark, ended } = await replaceMark(folders.mark, stopMs);
  if (ended > 0) log.warn({ ended }, 'processes of an agent that was killed were ended');

  const socketPath = config.data.socket;
  const given = socketPath === undefined ? {} : { [SOCKET_NAME]: socketPath };
  const env = makeEnvironment(process.env, { ...given, ...software.env }, mark);
  const context = { cwd: folders.work, env };
  const run: RunConfigured = (argv, options) => runCommand(argv, { ...context, ...options });
  const output = createProgramOutput({ types: config.data.types, report: surroundings.report, clock, log });
  const supervisor = createSupervisor({
    ...context,
    stopMs,
    backoff: { leastMs: software.restart.leastSeconds * MS, mostMs: software.restart.mostSeconds * MS },
    clock,
    random,
    log,
    onOutput: output.take,
  });
  const ask: AskConfigured = (argv, timeoutMs, signal) => askCommand(argv, { ...context, timeoutMs, signal });
  const installer =
    hooks.onUpdate === undefined
      ? chooseInstaller(surroundings, folders, mark, supervisor, ask)
      : createHandlerInstaller(hooks.onUpdate, health.deadlineSeconds * MS, log);
  const record = openRecord(folders.record, log);
  const rules = {
    aliveMs: health.aliveSeconds * MS,
    command: health.command,
    url: health.url,
    timeoutMs: health.timeoutSeconds * MS,
    deadlineMs: health.deadlineSeconds * MS,
  };
  const conditions = { ask, now: () => clock.now(), folder: folders.root };
  const softwareSwitch = new SoftwareSwitch({
    slots,
    record,
    installer,
    log,
    rules: {
      unpack: software.installer === 'process' ? software.unpack : 'never',
      limits: { maxEntries: config.fetch.maxEntries, maxBytes: config.fetch.maxUnpackedBytes },
    },
    keep: software.keep,
    findDeferral: async (digest, signal) =>
      (await readOwnerDeferral(home, clock.now())) ??
      (await findDeferral(software.preconditions, conditions, signal)) ??
      (await hooks.defer?.(digest)),
    judge: (programEnd, signal) => judgeHealth(rules, { programEnd, command: context }, signal),
    onStep: (step, digest) => {
      log.debug({ step, digest }, 'switch');
      return hooks.onStep?.(step, digest);
    },
  });
  const fetch = fetchPorts(surroundings, folders, slots, hooks);
  const socket = socketPath === undefined ? undefined : await openLineSocket(socketPath, output.listen, log);
  return {
    folders,
    slots,
    record,
    fetch,
    supervisor,
    output,
    socket,
    installer,
    switch: softwareSwitch,
    run,
  };
}

function chooseInstaller(
  { config, clock, log, bootId = readBootId }: Surroundings,
  folders: Folders,
  mark: string,
  supervisor: Supervisor,
  ask: AskConfigured,
): Installer {
  const { software, health } = config;
  const { target, command, reload, notify } = software;
  switch (software.installer) {
    case 'process':
      return createProcessInstaller(command, supervisor, log);
    case 'file': {
      if (target === undefined) throw unchecked('target');
      const timeoutMs = health.timeoutSeconds * MS;
      const run: FileInstallerOptions['run'] = (argv, signal) => ask(argv, timeoutMs, signal);
      return createFileInstaller({ target, command, reload, notify, run }, supervisor, log);
    }
    case 'command': {
      if (command === undefined) throw unchecked('command');
      const program = fillCommand(command, { node: process.execPath });
      return createCommandInstaller({
        ask: (words, timeoutMs, signal) => ask([...program, ...words], timeoutMs, signal),
        stepMs: software.stepSeconds * MS,
        note: folders.restart,
        // Where the kernel does not name its start, the mark of the agent's own start is used.
        boot: async () => (await bootId()) ?? mark,
        clock,
        log,
      });
    }
  }
}

function unchecked(missing: string): Error {
  return new Error(`the configuration was not checked: software.${missing} is missing`);
}

function fetchPorts(
  surroundings: Surroundings,
  folders: Folders,
  slots: Slots,
  { onProgress }: Hooks,
): FetchPorts {
  const { config, clock, random, log } = surroundings;
  const { fetch } = config;
  const trust = { pinnedHost: new URL(config.url).hostname, mode: fetch.trust };
  return {
    rules: {
      allowHttp: fetch.allowHttp,
      hosts: fetch.hosts,
      maxBytes: fetch.maxBytes,
      maxRedirects: fetch.maxRedirects,
      floor: { bytesPerSecond: fetch.minBytesPerSecond, windowMs: fetch.windowSeconds * MS },
      attempts: fetch.attempts,
      backoff: FETCH_BACKOFF,
      deadlineMs: fetch.deadlineSeconds * MS,
    },
    folder: folders.downloads,
    slots,
    createTransport: () => createTransport({ ...trust, ca: surroundings.ca() }, clock),
    clock,
    random,
    log,
    onProgress,
  };
}
