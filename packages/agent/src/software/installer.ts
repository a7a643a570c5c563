import type { Software } from './prepare.ts';
import type { ProgramState } from '../program/supervisor.ts';

/**
 * The port through which software comes to run on this device. Every call can be repeated, and after a crash of the agent
 * any of them can be the first. Each can throw `Deferred`: then the server asks again, and what was done stays done.
 */
export interface Installer {
  /** Is a plain artifact a program, or data for one? */
  readonly runsArtifact: boolean;
  /** Does everything that can be done while the old software runs. Throws SoftwareFault to refuse the software. */
  prepare(software: Software, signal: AbortSignal): Promise<void>;
  /** Stops what runs, as far as a switch needs that. */
  halt(): Promise<void>;
  /** Makes this software run. Throws SoftwareFault when it can't. */
  launch(software: Software, signal: AbortSignal): Promise<void>;
  /** Does this software wait for a restart of the device? Then the end of the agent says nothing against it. */
  awaitsRestart(digest: string): Promise<boolean>;
  /** Makes the switch final: the software has proven itself. Throws SoftwareFault when it can't. */
  confirm(software: Software, signal: AbortSignal): Promise<void>;
  /** Stops the software of this digest for good: it failed. */
  withdraw(digest: string, signal: AbortSignal): Promise<void>;
  /**
   * Starts the first of `candidates` that can run, at the start of the agent and after `withdraw`. Gives the digest that
   * runs; undefined when none of them does, or nobody knows what runs.
   */
  restore(
    candidates: readonly string[],
    open: (digest: string) => Promise<Software>,
  ): Promise<string | undefined>;
  /** Stops everything: there is no software left. */
  clear(): Promise<void>;
  /** Stops whatever would go on without the agent. */
  stop(): Promise<void>;
  /** Resolves when the program ends by itself; undefined when none is watched. Call it before `launch`. */
  programEnd(): Promise<string> | undefined;
  state(): ProgramState;
  /** The digest that runs. `recorded`: the one that should run. */
  runs(recorded: string | undefined): string | undefined;
}
