import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, type BackoffBounds, type Log } from '@srup/node';
import type { Clock, FetchOutcome, Random } from '@srup/protocol';
import { judgeAddress } from './address.ts';
import type { Try } from './answer.ts';
import { type DownloadRules, tryDownload } from './download.ts';
import { openPartial, type PartialFile } from './partial.ts';
import type { Slots } from '../slots.ts';
import type { Transport } from './transport.ts';

export interface FetchRules extends DownloadRules {
  /** Most tries in a row without progress. */
  readonly attempts: number;
  /** Wait between two tries. */
  readonly backoff: BackoffBounds;
  /** Timeout of all tries together, in milliseconds. */
  readonly deadlineMs: number;
}

/** Called often, with the bytes that are here and the bytes of the whole file, if the server said so. */
export type OnProgress = (digest: string, bytes: number, total: number | undefined) => void;

export interface FetchPorts {
  readonly rules: FetchRules;
  /** Folder of unfinished files, on the same file system as the slots. */
  readonly folder: string;
  readonly slots: Slots;
  readonly createTransport: () => Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onProgress?: OnProgress | undefined;
}

export interface Wanted {
  readonly url: string;
  /** SHA-256, 64 lower-case hex digits (P 2.6). */
  readonly digest: string;
}

export interface Fetched {
  readonly outcome: FetchOutcome;
  /** For the log: part of a sentence. */
  readonly reason?: string;
}

/** Longest wait that a server can ask for, in milliseconds. */
const MAX_RETRY_AFTER_MS = 10 * 60_000;
/** A try that brought this many bytes was progress: the count of failures in a row begins anew. */
const PROGRESS_BYTES = 64 * 1024;
/** Longest time of a timer of Node.js, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Stages the file of `digest` (P 10.2), or finds it here already (P 10.12). Rejects with the signal's reason (what was loaded
 * is kept for the next time), or when the disk fails for a reason other than being full.
 */
export async function fetchSoftware(
  wanted: Wanted,
  ports: FetchPorts,
  signal: AbortSignal,
): Promise<Fetched> {
  if (await ports.slots.holds(wanted.digest, signal)) return { outcome: 'ok' };
  const url = judgeAddress(wanted.url, ports.rules);
  if (typeof url === 'string') return { outcome: 'no-file', reason: url };
  const deadline = AbortSignal.timeout(Math.min(ports.rules.deadlineMs, MAX_TIMER_MS));
  const transport = ports.createTransport();
  let last: Fetched = { outcome: 'no-server', reason: 'no time left' };
  try {
    const download = { url, digest: wanted.digest, ports, transport };
    for await (const fetched of tries(download, AbortSignal.any([signal, deadline]))) last = fetched;
  } catch (error) {
    signal.throwIfAborted();
    if (!deadline.aborted) throw error;
  }
  return last;
}

/** One download: what stays the same over its tries. */
interface Download {
  readonly url: URL;
  readonly digest: string;
  readonly ports: FetchPorts;
  readonly transport: Transport;
}

/** Yields the outcome of each try; the last one counts. */
async function* tries(download: Download, signal: AbortSignal): AsyncGenerator<Fetched, void> {
  const { digest, ports } = download;
  let failures = 0;
  let wasMixed = false;
  while (failures < ports.rules.attempts) {
    const result = await tryOnce(download, signal);
    if (result.end === 'staged' || result.end === 'over') {
      yield result.end === 'staged' ? { outcome: 'ok' } : { outcome: result.outcome, reason: result.reason };
      return;
    }
    if (result.end === 'mixed') {
      yield { outcome: 'bad-digest', reason: 'the digest is another one' };
      // The server changed its file between two tries, so old bytes are mixed with new ones: begin anew, once.
      if (wasMixed) return;
      wasMixed = true;
      continue;
    }
    failures = result.gained >= PROGRESS_BYTES ? 1 : failures + 1;
    yield { outcome: result.cause, reason: result.reason };
    ports.log.info({ digest, failures, reason: result.reason }, 'download interrupted');
    if (failures === ports.rules.attempts) return;
    const wait = Math.max(backoffMs(failures, ports.rules.backoff, ports.random.unit()), result.afterMs ?? 0);
    await sleep(Math.min(wait, MAX_RETRY_AFTER_MS), undefined, { signal });
  }
}

type Attempt =
  | { readonly end: 'staged' }
  /** The file is whole but not the wanted one, and it came in more than one try. */
  | { readonly end: 'mixed' }
  | Extract<Try, { end: 'over' }>
  | (Extract<Try, { end: 'again' }> & { readonly gained: number });

async function tryOnce({ url, digest, ports, transport }: Download, signal: AbortSignal): Promise<Attempt> {
  const partial = await openPartial(ports.folder, digest, url.href, signal);
  const before = partial.size;
  try {
    // All bytes can be here already: the last run ended between the last byte and the slot.
    if (partial.digest() === digest) return await stage(partial, digest, ports);
    const progress = (bytes: number, total: number | undefined) => ports.onProgress?.(digest, bytes, total);
    const result = await tryDownload(
      url,
      partial,
      ports.rules,
      { transport, clock: ports.clock, progress },
      signal,
    );
    // Bytes that can't be continued are not progress.
    const gained = partial.etag === undefined ? 0 : partial.size - before;
    if (result.end === 'again') return { ...result, gained };
    if (result.end === 'complete' && partial.digest() === digest) return await stage(partial, digest, ports);
    // A wrong file is worth nothing, and a full disk needs the room.
    await partial.discard();
    if (result.end === 'over') return result;
    if (partial.isContinued) return { end: 'mixed' };
    return { end: 'over', outcome: 'bad-digest', reason: 'the digest is another one' };
  } finally {
    await partial.close();
  }
}

async function stage(partial: PartialFile, digest: string, ports: FetchPorts): Promise<Attempt> {
  await partial.sync();
  await ports.slots.adopt(digest, partial.path);
  await partial.discard();
  return { end: 'staged' };
}
