import type { Log } from '@srup/node';
import { SoftwareFault, type Software } from '../software/prepare.ts';
import { fillCommand } from '../program/environment.ts';
import type { Installer } from '../software/installer.ts';
import { launchedByAgent } from './launched.ts';
import type { Supervisor } from '../program/supervisor.ts';

/** The names that a command can have in braces, with their values. */
export function placeholders(software: Software): Record<string, string> {
  return { path: software.path, slot: software.folder, node: process.execPath };
}

/** The software is a program that the agent keeps alive. Without a command, the artifact itself is started. */
export function createProcessInstaller(
  command: readonly string[] | undefined,
  supervisor: Supervisor,
  log: Log,
): Installer {
  async function launch(software: Software): Promise<void> {
    if (command === undefined && software.path === software.slot.content) {
      throw new SoftwareFault(
        'it is an archive, and the device has no command to start what is in it',
        false,
      );
    }
    await supervisor.stop();
    supervisor.start(fillCommand(command ?? ['{path}'], placeholders(software)));
  }

  return {
    ...launchedByAgent(launch, log),
    runsArtifact: true,
    launch,
    halt: () => supervisor.stop(),
    withdraw: () => supervisor.stop(),
    clear: () => supervisor.stop(),
    stop: () => supervisor.stop(),
    programEnd: () => supervisor.nextEnd(),
    state: () => supervisor.state(),
  };
}
