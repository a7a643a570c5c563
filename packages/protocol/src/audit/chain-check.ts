/**
 * Checks how a history hangs together: entries by their hashes, checkpoints by their signatures and by what a witness
 * has.
 */
import { fromHex } from '../wire/encoding.ts';
import type { VerifyKey } from '../trust/suite.ts';
import {
  checkpointHash,
  isSignedBy,
  readCheckpoint,
  type Checkpoint,
  type SignedCheckpoint,
} from './checkpoint.ts';
import { contentHash, linkHash, NO_LINK, type HexSha256 } from './entry.ts';
import type { Findings } from './findings.ts';
import type { EndLine, EntryLine, WithheldLine } from './lines.ts';

export interface ChainCheck {
  /** The server's Ed25519 key, once the history has named it; undefined if it names no good one. */
  setKey(key: VerifyKey | undefined, server: string): void;
  entry(line: EntryLine): void;
  withheld(line: WithheldLine): void;
  checkpoint(line: SignedCheckpoint): void;
  end(line: EndLine): void;
  /** Call it after the last line. */
  finish(restoredAt: readonly number[]): void;
  readonly state: ChainState;
}

export interface ChainState {
  seq: number;
  hash: string;
  isEnded: boolean;
  checkpoints: number;
  /** Last entry that a good checkpoint in the file covers; 0 if there is none. */
  signedThrough: number;
  /** Checkpoints of the witness that this server signed, and how many of them the history contains. */
  witnessed: number;
  witnessMatched: number;
  /** Last entry that a checkpoint of the witness covers, among those that the history contains. */
  witnessedThrough: number;
}

export function checkChain(
  sha256: HexSha256,
  findings: Findings,
  witness: readonly SignedCheckpoint[],
): ChainCheck {
  const state: ChainState = {
    seq: 0,
    hash: NO_LINK,
    isEnded: false,
    checkpoints: 0,
    signedThrough: 0,
    witnessed: 0,
    witnessMatched: 0,
    witnessedThrough: 0,
  };
  let key: VerifyKey | undefined;
  let server = '';
  let previousCheckpoint = '';
  const awaited = new Map<number, string>();

  function readSigned({ text, signature }: SignedCheckpoint): Checkpoint | undefined {
    const checkpoint = readCheckpoint(text);
    const bytes = fromHex(signature);
    const isGood =
      checkpoint?.server === server &&
      key !== undefined &&
      bytes !== undefined &&
      isSignedBy({ text, signature: bytes }, key);
    return isGood ? checkpoint : undefined;
  }

  function link(seq: number, content: string, hash: string): void {
    if (seq !== state.seq + 1) {
      const gap =
        seq > state.seq + 1 ? `entries ${state.seq + 1} to ${seq - 1} are missing` : 'it comes again';
      findings.add('SEQUENCE', `after entry ${state.seq} comes entry ${seq}: ${gap}`, { seq });
    } else if (linkHash(state.hash, content, sha256) !== hash) {
      findings.add('LINK', `entry ${seq} was changed, or what came before it`, { seq });
    }
    // Go on from what the entry says of itself, so that the next break is found too.
    state.seq = seq;
    state.hash = hash;
    const known = awaited.get(seq);
    if (known === undefined) return;
    awaited.delete(seq);
    if (known === hash) {
      state.witnessMatched += 1;
      state.witnessedThrough = seq;
    } else {
      findings.add('WITNESS', `the witness has another entry ${seq}: something up to there was changed`, {
        seq,
      });
    }
  }

  return {
    state,
    setKey: (found, name) => {
      key = found;
      server = name;
      for (const signed of witness) {
        const checkpoint = readSigned(signed);
        if (checkpoint === undefined) continue; // a witness can serve many servers, and anybody can write to it
        const known = awaited.get(checkpoint.seq);
        if (known === undefined) state.witnessed += 1;
        else if (known !== checkpoint.hash) {
          findings.add('WITNESS', 'the server signed two different entries of this number', {
            seq: checkpoint.seq,
          });
        }
        awaited.set(checkpoint.seq, checkpoint.hash);
      }
    },
    entry: (line) => {
      link(line.seq, contentHash(line, sha256), line.hash);
    },
    withheld: ({ seq, content, hash }) => {
      link(seq, content, hash);
    },
    checkpoint: (signed) => {
      const checkpoint = readSigned(signed);
      const { seq } = state;
      if (checkpoint === undefined) {
        findings.add('CHECKPOINT', 'a checkpoint has no good signature of this server', { seq });
        return;
      }
      if (checkpoint.seq !== seq || checkpoint.hash !== state.hash) {
        const detail = `the checkpoint of entry ${checkpoint.seq} does not fit the entry that it follows`;
        findings.add('CHECKPOINT', detail, { seq });
      } else {
        state.signedThrough = seq;
      }
      if (checkpoint.previous !== previousCheckpoint) {
        findings.add('CHECKPOINT', `the checkpoint before that of entry ${checkpoint.seq} is missing`, {
          seq,
        });
      }
      previousCheckpoint = checkpointHash(signed.text, sha256);
      state.checkpoints += 1;
    },
    end: ({ end, hash }) => {
      state.isEnded = true;
      if (end !== state.seq || hash !== state.hash) {
        findings.add('SEQUENCE', `the end line is for entry ${end}, but the last entry is ${state.seq}`);
      }
    },
    finish: (restoredAt) => {
      if (!state.isEnded)
        findings.add('INCOMPLETE', `nothing comes after entry ${state.seq}, not even the end line`);
      const [first] = [...awaited.keys()].sort((a, b) => a - b);
      if (first === undefined) return;
      const told =
        restoredAt.length === 0
          ? ''
          : `; the history tells of a restored backup at entry ${restoredAt.join(', ')}`;
      const last = Math.max(...awaited.keys());
      findings.add(
        'WITNESS',
        `the witness holds checkpoints up to entry ${last}, but the history ends with entry ${state.seq}: its end was taken away${told}`,
      );
    },
  };
}
