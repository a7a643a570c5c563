import { appendFileSync, copyFileSync, renameSync, statSync, truncateSync } from 'node:fs';
import { Writable } from 'node:stream';

/** Bytes of a log file before it becomes the old one; there is one old one, so twice that is the most. */
export const LOG_BYTES = 10 * 2 ** 20;

/**
 * Appends to a file for its owner alone. When it is full it is renamed to `FILE.1`, in the place of the one before,
 * and begun anew. A disk in trouble costs lines, never the process.
 */
export function rotatingFile(file: string, limit = LOG_BYTES): Writable {
  let bytes = sizeOf(file);
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      try {
        if (bytes > 0 && bytes + chunk.length > limit) {
          renameSync(file, `${file}.1`);
          bytes = 0;
        }
        appendFileSync(file, chunk, { mode: 0o600 });
        bytes += chunk.length;
      } catch {
        // A log that can't be written is no reason to stop.
      }
      done();
    },
  });
}

const LOOK_MS = 30_000;

/**
 * The same for a file to whose end another process appends: it is copied and emptied. A line that comes in this moment
 * may be lost. Returns how to stop.
 */
export function keepShort(file: string, limit = LOG_BYTES, everyMs = LOOK_MS): () => void {
  const timer = setInterval(() => {
    try {
      if (sizeOf(file) <= limit) return;
      copyFileSync(file, `${file}.1`);
      truncateSync(file);
    } catch {
      // Tried again soon.
    }
  }, everyMs).unref();
  return () => {
    clearInterval(timer);
  };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
