import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openTar } from './archive.ts';

const CONTENT = Buffer.alloc(20_000, 'xyz');

async function* bytes(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

test.each([
  ['tar.gz', gzipSync(CONTENT)],
  ['tar.zst', zstdCompressSync(CONTENT)],
] as const)(
  'a %s that ends too soon fails for its reader, however late the reader comes',
  async (kind, whole) => {
    // Without a listener, the error of a stream that nobody reads yet would end the process: Vitest reports it.
    for (const length of [2, 20, whole.length - 1]) {
      const tar = openTar(bytes(whole.subarray(0, length)), kind);
      await pause(5);
      const read = async (): Promise<number> => {
        let total = 0;
        for await (const chunk of tar) total += (chunk as Uint8Array).length;
        return total;
      };
      await expect(read()).rejects.toThrow();
    }
  },
);
