import type { Log, PublicPems } from '@srup/node';
import type { Clock, Random, SignKey, SuiteName } from '@srup/protocol';
import type { KeyEvents } from '../keyservice/events.ts';
import type { Store } from '../store/port.ts';
import type { CoreTables } from '../store/schema/tables.ts';

/** Whose trail it is, and who else keeps its checkpoints. */
export interface TrailOptions {
  /** The server's identity as hex text. */
  readonly server: string;
  /** The server's public keys, by suite. */
  readonly publicKeys: Readonly<Record<SuiteName, PublicPems>>;
  readonly caFingerprint: string;
  /** The version of the program. */
  readonly version: string;
  /** Files and https URLs. */
  readonly witnesses: readonly string[];
}

/** What the trail uses. */
export interface TrailPorts {
  readonly store: Store<CoreTables>;
  /** The server's Ed25519 key. */
  readonly signKey: SignKey;
  readonly keyEvents: KeyEvents;
  /** Finds the note of a restore. Both times are milliseconds since 1970. */
  readonly findRestore: () => Promise<RestoreNote | undefined>;
  readonly clock: Clock;
  readonly random: Pick<Random, 'unit'>;
  readonly log: Pick<Log, 'error' | 'warn'>;
}

export interface RestoreNote {
  readonly at: number;
  readonly backupOf: number;
}
