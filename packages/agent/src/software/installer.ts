import type { Software } from './prepare.ts';
import type { ProgramState } from '../program/supervisor.ts';

/**
 * How software comes to run on this device. Every call may be repeated, and after a crash of the agent any of them
 * may be the first. `Deferred` from any of them: not now, the server asks again; what was done stays as it is.
 */
export interface Installer {
  /** Is a plain artifact a program, or data for one? */
  readonly runsArtifact: boolean;
  /** Everything that can be done while the old software runs. SoftwareFault: it is refused. */
  prepare(software: Software, signal: AbortSignal): Promise<void>;
  /** Ends what runs, as far as a switch needs it. */
  halt(): Promise<void>;
  /** Makes this software what runs. SoftwareFault when that can't be. */
  launch(software: Software, signal: AbortSignal): Promise<void>;
  /** Does this software wait for the device to restart? That the agent ended meanwhile says nothing against it. */
  awaitsRestart(digest: string): Promise<boolean>;
  /** It has proven itself: this is for good. SoftwareFault when that can't be. */
  confirm(software: Software, signal: AbortSignal): Promise<void>;
  /** The software of this digest failed: it is to run no more. */
  withdraw(digest: string, signal: AbortSignal): Promise<void>;
  /**
   * At the start of the agent and after `withdraw`: sees to it that good software runs, the first of `candidates` that
   * can. Gives the digest that does; undefined: none of them, or what runs is not known.
   */
  restore(
    candidates: readonly string[],
    open: (digest: string) => Promise<Software>,
  ): Promise<string | undefined>;
  /** There is no software any more: nothing is to run. */
  clear(): Promise<void>;
  /** The agent goes: ends what would go on without it. */
  stop(): Promise<void>;
  /** To be asked before `launch`: resolves when the program ends by itself; undefined where none is watched. */
  programEnd(): Promise<string> | undefined;
  state(): ProgramState;
  /** The digest that runs. `recorded`: what was told to. */
  runs(recorded: string | undefined): string | undefined;
}
