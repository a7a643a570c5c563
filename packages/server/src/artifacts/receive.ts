import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { FleetError } from '../api/faults.ts';

export interface Received {
  readonly digest: string;
  readonly bytes: number;
}

/**
 * Streams content to a new file and hashes what it writes. The file is on the disk when this resolves. It is left there
 * when this rejects.
 * @param limitBytes rejects with `too-large` beyond this
 */
export async function receive(
  content: AsyncIterable<Uint8Array>,
  path: string,
  limitBytes: number,
): Promise<Received> {
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of content) {
      bytes += chunk.length;
      if (bytes > limitBytes)
        throw new FleetError('too-large', `an artifact has at most ${limitBytes} bytes`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    if (bytes === 0) throw new FleetError('empty', 'the file is empty: there is nothing to install');
    await file.sync();
  } finally {
    await file.close();
  }
  return { digest: hash.digest('hex'), bytes };
}
