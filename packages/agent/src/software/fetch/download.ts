import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '@srup/protocol';
import { codeOf, reasonOf } from '../../ground/trouble.ts';
import { type AddressRules, judgeAddress } from './address.ts';
import { again, judgeStatus, over, rangeTotal, readLength, strongEtag, type Try } from './answer.ts';
import { DiskFault, type PartialFile } from './partial.ts';
import { type RateFloor, type RateWatch, watchRate } from './rate.ts';
import type { Answer, Transport } from './transport.ts';

export interface DownloadRules extends AddressRules {
  readonly maxBytes: number;
  readonly maxRedirects: number;
  readonly floor: RateFloor;
}

export interface DownloadPorts {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Called with the bytes written so far and the bytes of the whole file, if the server said so. */
  readonly progress: (bytes: number, total: number | undefined) => void;
}

/** Bytes that stay free for everything else on the device, above all its own state. */
const SPARE_BYTES = 4 * 2 ** 20;
/** Bytes between two checks of the free space, when the size of the file is not known. */
const LOOK_BYTES = 2 ** 20;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Tries once to complete `partial`. Rejects with the signal's reason only. */
export async function tryDownload(
  url: URL,
  partial: PartialFile,
  rules: DownloadRules,
  ports: DownloadPorts,
  signal: AbortSignal,
): Promise<Try> {
  const watch = watchRate(rules.floor, ports.clock, signal);
  try {
    const answer = await followRedirects(url, partial, rules, ports.transport, watch.signal);
    if ('end' in answer) return answer;
    return await take(answer, url, partial, rules, ports, watch);
  } catch (error) {
    signal.throwIfAborted();
    if (watch.signal.aborted) return again('no-server', 'the server sends too slowly');
    if (error instanceof DiskFault) return over('no-file', error.message);
    return again('no-server', `no answer from the server (${codeOf(error) ?? reasonOf(error)})`);
  } finally {
    watch.stop();
  }
}

async function followRedirects(
  start: URL,
  partial: PartialFile,
  rules: DownloadRules,
  transport: Transport,
  signal: AbortSignal,
): Promise<Answer | Try> {
  // The digest is that of the stored file: nothing may be encoded on the way.
  const headers: Record<string, string> = { 'accept-encoding': 'identity', 'user-agent': 'srup-agent' };
  if (partial.size > 0 && partial.etag !== undefined) {
    headers['range'] = `bytes=${partial.size}-`;
    headers['if-range'] = partial.etag;
  }
  let url = start;
  for (let count = 0; ; count++) {
    const answer = await transport.get(url, headers, signal);
    if (!REDIRECTS.has(answer.status)) return answer;
    answer.discard();
    if (count === rules.maxRedirects) return over('no-file', `more than ${rules.maxRedirects} redirects`);
    const next = judgeAddress(answer.header('location') ?? '', rules, url);
    if (typeof next === 'string') return over('no-file', next);
    url = next;
  }
}

async function take(
  answer: Answer,
  url: URL,
  partial: PartialFile,
  rules: DownloadRules,
  ports: DownloadPorts,
  watch: RateWatch,
): Promise<Try> {
  try {
    const head = await judgeHead(answer, url, partial, ports.clock.now());
    if ('end' in head) return head;
    const misfit = await judgeSize(head.total, partial, rules.maxBytes);
    return misfit ?? (await receive(answer, partial, head.total, rules.maxBytes, ports, watch));
  } finally {
    answer.discard();
  }
}

/** An answer whose body is read. `total`: bytes of the whole file, if the server says so. */
interface Head {
  readonly total: number | undefined;
}

async function judgeHead(answer: Answer, url: URL, partial: PartialFile, now: number): Promise<Head | Try> {
  const isResumed = partial.size > 0;
  if (answer.status === 200) {
    const etag = strongEtag(answer.header('etag'));
    await partial.restart({ url: url.href, ...(etag === undefined ? {} : { etag }) });
    return { total: readLength(answer.header('content-length')) };
  }
  if (!isResumed || (answer.status !== 206 && answer.status !== 416)) {
    return judgeStatus(answer.status, answer.header('retry-after'), now);
  }
  const total = rangeTotal(answer.header('content-range'), partial.size);
  if (answer.status === 206 && total !== undefined) return { total };
  await partial.restart({ url: url.href });
  return again('http-error', 'the server has no such range: from the beginning');
}

async function receive(
  answer: Answer,
  partial: PartialFile,
  total: number | undefined,
  maxBytes: number,
  ports: DownloadPorts,
  watch: RateWatch,
): Promise<Try> {
  let lookedAt = partial.size;
  for await (const chunk of answer.body) {
    watch.add(chunk.length);
    // Endless data (threat 7): a body without a length, or longer than it said.
    if (partial.size + chunk.length > maxBytes) {
      return over('no-file', `the file is larger than ${maxBytes} bytes`);
    }
    await partial.append(chunk);
    ports.progress(partial.size, total);
    if (total === undefined && partial.size - lookedAt >= LOOK_BYTES) {
      lookedAt = partial.size;
      if (!(await hasRoom(partial, 0)))
        return over('no-file', `no room on the disk for more than ${lookedAt} bytes`);
    }
  }
  if (total !== undefined && partial.size < total) return again('no-server', 'the connection ended too soon');
  return { end: 'complete' };
}

async function judgeSize(
  total: number | undefined,
  partial: PartialFile,
  maxBytes: number,
): Promise<Try | undefined> {
  if (total === undefined) return undefined;
  if (total > maxBytes) return over('no-file', `the file has ${total} bytes, more than ${maxBytes}`);
  if (await hasRoom(partial, total - partial.size)) return undefined;
  return over('no-file', `no room on the disk for ${total} bytes`);
}

async function hasRoom(partial: PartialFile, bytes: number): Promise<boolean> {
  const { bavail, bsize } = await statfs(dirname(partial.path));
  return bytes + SPARE_BYTES <= bavail * bsize;
}
