import type { Log } from '@srup/node';
import { inTime } from '../ground/in-time.ts';
import type { Software } from '../software/prepare.ts';
import type { Installer } from '../software/installer.ts';
import { launchedByAgent } from './launched.ts';

/** Verified software, as a program that has the agent built in is handed it. */
export interface HandedSoftware {
  /** SHA-256 of the artifact, 64 lower-case hex digits. */
  readonly digest: string;
  /** The artifact, or the folder that it was unpacked to. The agent's own: to be read, not changed. */
  readonly path: string;
}

/**
 * Makes this software what the device works with; resolves when it is. Rejecting reverts: the handler is then called
 * with the software of before. Also called at each start, and again after a kill in its middle, so it must be
 * repeatable. The signal aborts when the time is up (`health.deadlineSeconds`) or the agent stops.
 */
export type SoftwareHandler = (software: HandedSoftware, signal: AbortSignal) => Promise<void> | void;

/** The software is for the program around the agent, which knows best how to take it. */
export function createHandlerInstaller(handler: SoftwareHandler, deadlineMs: number, log: Log): Installer {
  let isTaken = false;
  const nothing = () => Promise.resolve();

  async function launch(software: Software, signal: AbortSignal): Promise<void> {
    isTaken = false;
    const handed = { digest: software.slot.digest, path: software.path };
    await inTime((until) => handler(handed, until), deadlineMs, signal);
    isTaken = true;
  }

  return {
    ...launchedByAgent(launch, log),
    runsArtifact: false,
    launch,
    halt: nothing,
    withdraw: nothing,
    stop: nothing,
    programEnd: () => undefined,
    state: () => ({ program: isTaken ? 'running' : 'none', restarts: 0 }),
    clear() {
      isTaken = false;
      return nothing();
    },
  };
}
