import type { Log } from '@srup/node';
import { inTime } from '../ground/in-time.ts';
import type { Software } from '../software/prepare.ts';
import type { Installer } from '../software/installer.ts';
import { launchedByAgent } from './launched.ts';

/** Verified software for a program that has the agent built in. */
export interface HandedSoftware {
  /** SHA-256 of the artifact, 64 lower-case hex digits. */
  readonly digest: string;
  /** The artifact, or the folder that it was unpacked to. It belongs to the agent: read it, never change it. */
  readonly path: string;
}

/**
 * Makes the device work with this software; resolves when it does. A rejection reverts: the handler is then called with
 * the software before. It is also called at each start, and again after a kill in the middle, so it must be repeatable.
 * The signal aborts on timeout (`health.deadlineSeconds`) or when the agent stops.
 */
export type SoftwareHandler = (software: HandedSoftware, signal: AbortSignal) => Promise<void> | void;

/** Hands the software to the program around the agent, which knows best how to take it. */
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
