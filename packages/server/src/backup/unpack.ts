import { createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { makePrivateFolder, syncFile, syncFolder } from '@srup/node';
import type { FileEntry } from './archive/manifest.ts';
import type { Take } from './archive/read.ts';

/** Is told of bytes that were taken. */
export type Meter = (bytes: number) => void;

/** Puts each file of a backup into a folder, on the disk, for its owner only. */
export function unpackInto(folder: string, meter: Meter): Take {
  return async ({ path }: FileEntry, content) => {
    const to = join(folder, path);
    await makePrivateFolder(dirname(to));
    const counted = Readable.from(content).on('data', (chunk: Uint8Array) => {
      meter(chunk.length);
    });
    await pipeline(counted, createWriteStream(to, { flags: 'wx', mode: 0o600 }));
    await syncFile(to);
    await syncFolder(dirname(to));
  };
}

/** Reads each file of a backup to its end, and keeps nothing. */
export function readOnly(meter: Meter = () => undefined): Take {
  return async (_file, content) => {
    for await (const chunk of content) meter(chunk.length);
  };
}
