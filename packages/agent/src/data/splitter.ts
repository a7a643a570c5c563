export interface LineSplitter {
  /** Gives the lines that this chunk completes, without their line ends. */
  push(chunk: Uint8Array): string[];
}

/** Longest line that is taken, in bytes. A data value must fit a message (65,535 bytes) with room to spare. */
export const MAX_LINE_BYTES = 16 * 1024;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * Cuts output into lines, as UTF-8 (other bytes become U+FFFD). Memory stays bounded: a line that is too long is
 * dropped as a whole, and `onLong` is called once for it.
 */
export function createLineSplitter(onLong: () => void): LineSplitter {
  let kept: Uint8Array[] = [];
  let size = 0;
  let isLong = false;

  function keep(piece: Uint8Array): void {
    if (isLong) return;
    size += piece.length;
    if (size <= MAX_LINE_BYTES) {
      kept.push(piece);
      return;
    }
    isLong = true;
    kept = [];
    onLong();
  }

  function take(): string | undefined {
    const line = Buffer.concat(kept);
    const isWhole = !isLong;
    kept = [];
    size = 0;
    isLong = false;
    return isWhole
      ? line.toString('utf8', 0, line.at(-1) === RETURN ? line.length - 1 : line.length)
      : undefined;
  }

  return {
    push(chunk) {
      const lines: string[] = [];
      let from = 0;
      for (let to = chunk.indexOf(NEWLINE); to !== -1; from = to + 1, to = chunk.indexOf(NEWLINE, from)) {
        keep(chunk.subarray(from, to));
        const line = take();
        if (line !== undefined) lines.push(line);
      }
      // A copy: the caller may use its buffer again, and a short piece shouldn't hold a long one.
      if (from < chunk.length) keep(new Uint8Array(chunk.subarray(from)));
      return lines;
    },
  };
}
