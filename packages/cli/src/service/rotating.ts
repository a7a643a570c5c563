import { appendFileSync, copyFileSync, renameSync, statSync, truncateSync } from 'node:fs';
import { Writable } from 'node:stream';

/** The largest size of a log file in bytes. One old file is kept, so a log takes at most twice that. */
export const LOG_BYTES = 10 * 2 ** 20;

/**
 * Opens a stream that appends to a file which only its owner can read. A full file is renamed to `FILE.1`, which
 * replaces the older one, and a new file is started. A failing disk costs lines, but never ends the process.
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
 * Keeps a file short to which another process appends: a full file is copied and emptied. A line that is written at
 * this moment can be lost. Returns a function that stops it.
 */
export function keepShort(file: string, limit = LOG_BYTES, everyMs = LOOK_MS): () => void {
  const timer = setInterval(() => {
    try {
      if (sizeOf(file) <= limit) return;
      copyFileSync(file, `${file}.1`);
      truncateSync(file);
    } catch {
      // The next round tries again.
    }
  }, everyMs).unref();
  return () => {
    clearInterval(timer);
  };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
