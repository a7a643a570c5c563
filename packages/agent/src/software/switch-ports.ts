import type { Log } from '@srup/node';
import type { InstallOutcome } from '@srup/protocol';
import type { Deferral } from '../deferral/deferral.ts';
import type { Installer } from './installer.ts';
import type { PrepareRules } from './prepare.ts';
import type { RecordFile } from './record.ts';
import type { Slots } from './slots.ts';

/**
 * The steps of a switch, in order. From whatever is on the disk between two of them, `start` and `install` can go on: the
 * record is written before the world changes.
 */
export type InstallStep =
  | 'prepared' // verified again, unpacked; the old software still runs
  | 'halted' // the old software has ended
  | 'switched' // the record names the new one, on trial
  | 'launched'
  | 'judged'
  | 'committed' // the record says good
  | 'condemned' // the record says failed
  | 'withdrawn' // the failed software has ended
  | 'restored' // the old software runs again
  | 'reverted' // the record says so
  | 'collected'; // slots that nothing refers to are gone

export interface SwitchPorts {
  readonly slots: Slots;
  readonly record: RecordFile;
  readonly installer: Installer;
  readonly rules: Omit<PrepareRules, 'executable'>;
  /** How many good versions are kept beside the current one, and how many staged ones beside those. */
  readonly keep: number;
  /** Called before anything is touched; what it gives defers the switch (P 10.11). */
  readonly findDeferral: (digest: string, signal: AbortSignal) => Promise<Deferral | undefined>;
  readonly judge: (
    programEnd: Promise<string> | undefined,
    signal: AbortSignal,
  ) => Promise<string | undefined>;
  /** Called when a step is done, before the next begins. */
  readonly onStep: (step: InstallStep, digest: string) => void | Promise<void>;
  readonly log: Log;
}

export interface SwitchOrder {
  readonly token: string;
  readonly digest: string;
}

export interface Switched {
  readonly outcome: InstallOutcome;
  readonly reason?: string;
  /** Only with a deferral: when to ask again, ms since 1970. */
  readonly until?: number;
}
