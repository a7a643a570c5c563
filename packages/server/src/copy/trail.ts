/** The audit trail in a copy: whether its entries still follow from each other, and its checkpoints from them. */
import { contentHash, linkHash, NO_LINK, readCheckpoint } from '@srup/protocol';
import { sha256 } from '../chain/hash.ts';
import type { Read } from '../store/port.ts';
import type { AuditRow } from '../store/schema/audit.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import type { Row } from './tables.ts';

export interface TrailEnd {
  /** The last entry, and its hash. */
  readonly seq: number;
  readonly hash: string;
  /** The first entry that does not follow from the one before it, or that a checkpoint contradicts. */
  readonly brokenAt?: number | undefined;
}

/** Follows a trail from its first entry to its last. */
export class Following {
  #seq = 0;
  #hash: string = NO_LINK;
  #brokenAt: number | undefined;
  /** The hash that each checkpoint names, by its entry. */
  readonly #signed: Map<number, string | undefined>;

  private constructor(signed: Map<number, string | undefined>) {
    this.#signed = signed;
  }

  static async begin(read: Read<CoreTables>): Promise<Following> {
    const rows = await read.selectFrom('audit_checkpoints').select(['seq', 'text']).execute();
    return new Following(new Map(rows.map(({ seq, text }) => [seq, readCheckpoint(text)?.hash])));
  }

  add(rows: readonly Row[]): void {
    for (const row of rows as unknown as readonly AuditRow[]) {
      const { seq, hash } = row;
      const isNext = seq === this.#seq + 1 && linkHash(this.#hash, contentHash(row, sha256), sha256) === hash;
      const isSigned = !this.#signed.has(seq) || this.#signed.get(seq) === hash;
      if (!isNext || !isSigned) this.#brokenAt ??= seq;
      this.#signed.delete(seq);
      this.#seq = seq;
      this.#hash = hash;
    }
  }

  end(): TrailEnd {
    // What is left names entries that are not there.
    const [lost = this.#brokenAt] = this.#signed.keys();
    return { seq: this.#seq, hash: this.#hash, brokenAt: this.#brokenAt ?? lost };
  }
}
