import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder, type Log } from '@srup/node';
import { hashing, openRegular, readChunks } from '../software/chunks.ts';
import { type Software, SoftwareFault } from '../software/prepare.ts';
import type { Slot } from '../software/slots.ts';
import type { CommandResult } from '../program/command.ts';
import { fillCommand } from '../program/environment.ts';
import type { Installer } from '../software/installer.ts';
import { launchedByAgent } from './launched.ts';
import { placeholders } from './process.ts';
import type { Supervisor } from '../program/supervisor.ts';

export interface FileInstallerOptions {
  /** Where the program looks for the data. */
  readonly target: string;
  /** The program, if the agent keeps it alive. */
  readonly command?: readonly string[] | undefined;
  /** How that program learns that there is new data. */
  readonly reload: 'restart' | 'hangup';
  /** Run after the switch, for a program that the agent does not keep alive. Its failure reverts. */
  readonly notify?: readonly string[] | undefined;
  readonly run: (argv: readonly string[], signal: AbortSignal) => Promise<CommandResult>;
}

/** The program reads the data, perhaps under another account. */
const TARGET_MODE = 0o644;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** The software is data for a program that stays the same (data-driven software, S16). */
export function createFileInstaller(
  options: FileInstallerOptions,
  supervisor: Supervisor,
  log: Log,
): Installer {
  const { target, command, notify } = options;
  const restarts = command !== undefined && options.reload === 'restart';
  const halt = () => (restarts ? supervisor.stop() : Promise.resolve());

  async function launch(software: Software, signal: AbortSignal): Promise<void> {
    if (restarts) await supervisor.stop();
    await putFile(software.slot, target, signal);
    const values = { ...placeholders(software), target };
    const told = !restarts && supervisor.signal('SIGHUP');
    if (command !== undefined && !told && supervisor.state().program !== 'restarting') {
      supervisor.start(fillCommand(command, values));
    }
    if (notify === undefined) return;
    const { failure } = await options.run(fillCommand(notify, values), signal);
    if (failure !== undefined)
      throw new SoftwareFault(`the command after the switch failed: ${failure}`, false);
  }

  return {
    ...launchedByAgent(launch, log),
    runsArtifact: false,
    launch,
    halt,
    withdraw: halt,
    stop: () => supervisor.stop(),
    programEnd: () => (command === undefined ? undefined : supervisor.nextEnd()),
    state: () => supervisor.state(),
    async clear() {
      await supervisor.stop();
      await rm(target, { force: true });
    },
  };
}

/** Copies the slot's file over the target in one step, and verifies the very bytes that it copies (threat 14). */
async function putFile(slot: Slot, target: string, signal: AbortSignal): Promise<void> {
  const source = await openRegular(slot.artifact);
  if (source === undefined) throw new SoftwareFault('its file is not on this device', true);
  const unfinished = `${target}.srup-new`;
  try {
    const stored = hashing(readChunks(source, signal));
    await rm(unfinished, { force: true });
    const copy = await open(unfinished, CREATE, TARGET_MODE);
    try {
      for await (const chunk of stored) await copy.writeFile(chunk);
      await copy.sync();
    } finally {
      await copy.close();
    }
    if (stored.digest() !== slot.digest)
      throw new SoftwareFault('its file was changed after it was verified', true);
    await rename(unfinished, target);
    await syncFolder(dirname(target));
  } finally {
    await rm(unfinished, { force: true });
    await source.close();
  }
}
