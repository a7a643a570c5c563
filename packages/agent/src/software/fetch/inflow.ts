/**
 * Holds bytes between a connection and the disk. Unlike the buffer of a stream it keeps what arrived when the connection
 * breaks, so a link that breaks again and again still makes progress.
 */
export interface Inflow extends AsyncIterable<Uint8Array> {
  push(chunk: Uint8Array): void;
  /** Ends the inflow. With an `error`, the reader gets it after the last chunk. */
  end(error?: Error): void;
}

/** Bytes that can wait for the disk before the connection is held back. */
const HIGH_WATER_BYTES = 1024 * 1024;

/** `hold`: stop sending, `release`: go on. */
export function createInflow(hold: () => void, release: () => void): Inflow {
  let chunks: Uint8Array[] = [];
  let waiting = 0;
  let isHeld = false;
  let outcome: { readonly error: Error | undefined } | undefined;
  let wake: (() => void) | undefined;

  function takeAll(): Uint8Array[] {
    const taken = chunks;
    chunks = [];
    waiting = 0;
    if (isHeld) {
      isHeld = false;
      release();
    }
    return taken;
  }

  return {
    push(chunk) {
      chunks.push(chunk);
      waiting += chunk.length;
      if (waiting >= HIGH_WATER_BYTES && !isHeld) {
        isHeld = true;
        hold();
      }
      wake?.();
    },
    end(error) {
      outcome ??= { error };
      wake?.();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        yield* takeAll();
        if (chunks.length > 0) continue;
        if (outcome !== undefined) break;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      if (outcome.error !== undefined) throw outcome.error;
    },
  };
}
