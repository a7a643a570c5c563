import type { Software } from '../update/prepare.ts';
import type { ProgramState } from './supervisor.ts';

/**
 * How software comes to run on this device. Every call may be repeated, and after a crash of the agent any of them
 * may be the first.
 */
export interface Installer {
  /** Is a plain artifact a program, or data for one? */
  readonly runsArtifact: boolean;
  /** Ends what runs, as far as a switch needs it. */
  halt(): Promise<void>;
  /** Makes this software what runs. SoftwareFault when that can't be. */
  launch(software: Software, signal: AbortSignal): Promise<void>;
  /** There is no software any more: nothing is to run. */
  clear(): Promise<void>;
  /** The agent goes: ends what would go on without it. */
  stop(): Promise<void>;
  /** To be asked before `launch`: resolves when the program ends by itself; undefined where none is watched. */
  programEnd(): Promise<string> | undefined;
  state(): ProgramState;
}
