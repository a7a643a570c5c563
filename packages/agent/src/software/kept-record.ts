import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '@srup/node';
import { reasonOf } from '../ground/trouble.ts';
import { chosen, type RecordFile, type SoftwareRecord } from './record.ts';

/** Between tries to write on a full disk that a switch failed. */
const WRITE_AGAIN_MS = 2_000;

/** The record of the software, in memory and on the disk. A decision holds in memory even when the disk refuses it. */
export class KeptRecord {
  readonly #file: RecordFile;
  readonly #log: Log;
  #value: SoftwareRecord = { former: [], results: [] };

  constructor(file: RecordFile, log: Log) {
    this.#file = file;
    this.#log = log;
  }

  get value(): SoftwareRecord {
    return this.#value;
  }

  async load(): Promise<void> {
    this.#value = await this.#file.read();
  }

  /** Writes the next record. When the disk refuses it, the result says why, in words. */
  async save(next: SoftwareRecord): Promise<string | undefined> {
    this.#value = next;
    try {
      await this.#file.write(next);
      return undefined;
    } catch (error) {
      const reason = `the record can't be written (${reasonOf(error)})`;
      this.#log.error({ reason }, 'disk failed');
      return reason;
    }
  }

  /** Takes a decision back that could not be written. */
  takeBack(before: SoftwareRecord): void {
    this.#value = before;
  }

  /**
   * Resolves when the next start would run what runs now; until then nobody may be told how the switch ended. Rejects
   * with the signal's reason only.
   */
  async saveSurely(next: SoftwareRecord, signal: AbortSignal): Promise<void> {
    while ((await this.save(next)) !== undefined) {
      const kept = await this.#file.read().catch(() => undefined);
      if (kept !== undefined && chosen(kept) === chosen(next)) return;
      await sleep(WRITE_AGAIN_MS, undefined, { signal }).catch(() => {
        signal.throwIfAborted();
      });
    }
  }
}
