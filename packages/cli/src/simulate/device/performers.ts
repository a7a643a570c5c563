/**
 * Performs the effects of a simulated device. It downloads files and checks their digests, but keeps only the digest.
 * It does not start software: it only reports success or failure.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTransport, judgeStatus, type Answer, type Performers, type Store } from '@srup/agent/parts';
import { backoffMs, systemClock, type BackoffBounds } from '@srup/node';
import type { FetchOutcome } from '@srup/protocol';
import { drawn, type Fault } from '../choose.ts';
import { SOFTWARE } from '../keep.ts';
import type { Site } from '../site.ts';

/** The digests of what a device holds, the newest last (P 10.4, 10.12). */
interface Software {
  readonly held: readonly string[];
  readonly running?: string;
}

const VERSIONS_KEPT = 3;
/** The largest artifact in bytes, which is also the agent's default limit. */
const MAX_BYTES = 2 ** 30;
/** As many as an agent makes by default: a server can be busy with a whole fleet for minutes. */
const TRIES = 10;
const RETRY: BackoffBounds = { leastMs: 2_000, mostMs: 60_000 };
const SLOW_MS = { least: 5_000, most: 30_000 };
/** How long a device defers an activation; then the server asks again (P 10.11). Milliseconds. */
const DEFER_MS = 60_000;

export function simulatedPerformers(
  site: Site,
  device: number,
  store: Store,
  faults: ReadonlySet<Fault>,
  onUpdateOver: () => void,
): Performers {
  const { meter, seed } = site;
  const deferred = new Set<string>();
  let work = 0;

  const software = (): Software => (store.get(SOFTWARE) as unknown as Software | undefined) ?? { held: [] };
  const keep = (next: Software): Promise<void> => store.commit(new Map([[SOFTWARE, { ...next }]]));

  /** Waits for as long as a slow device takes for one effect. */
  async function linger(signal: AbortSignal): Promise<void> {
    if (!faults.has('slow')) return;
    const { least, most } = SLOW_MS;
    const wait = least + (most - least) * drawn(seed, 'slow for', device, work++);
    await sleep(wait, undefined, { signal });
  }

  async function fetch(url: string, digest: string, signal: AbortSignal): Promise<FetchOutcome> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await download(site, url, digest, faults.has('badDownloads'), signal);
      if (typeof outcome === 'string') return outcome;
      meter.trouble(outcome.reason);
      if (attempt === TRIES) return outcome.cause;
      const waitMs = Math.max(outcome.afterMs ?? 0, backoffMs(attempt, RETRY, site.random.unit()));
      await sleep(waitMs, undefined, { signal });
    }
  }

  return {
    start: async () => undefined,
    stop: async () => undefined,
    erase: async () => undefined,
    fetch: async ({ url, digest }, signal) => {
      await linger(signal);
      const { held, ...rest } = software();
      if (held.includes(digest)) return 'ok'; // P 10.12
      const began = performance.now();
      const outcome = await fetch(url, digest, signal);
      if (outcome !== 'ok') {
        meter.count('badDownloads');
        onUpdateOver();
        return outcome;
      }
      meter.time('download', performance.now() - began);
      await keep({ ...rest, held: [...held, digest].slice(-VERSIONS_KEPT) });
      meter.count('downloaded');
      return 'ok';
    },
    install: async ({ token, digest }, signal) => {
      await linger(signal);
      const { held } = software();
      if (faults.has('defer') && !deferred.has(token)) {
        deferred.add(token);
        meter.count('deferred');
        return { outcome: 'deferred', reason: 'simulated: deferred', until: site.clock.now() + DEFER_MS };
      }
      const isWell = held.includes(digest) && !faults.has('failingHealth');
      if (isWell) await keep({ held, running: digest });
      meter.count(isWell ? 'switched' : 'reverted');
      onUpdateOver();
      return { outcome: isWell ? 'active' : 'reverted' };
    },
    act: async (_effect, signal) => {
      await linger(signal);
      meter.count('actions');
      return { outcome: 'done' };
    },
    deliver: async () => {
      meter.count('data');
      return 'taken';
    },
    running: () => {
      const { running } = software();
      return { program: 'running', restarts: 0, ...(running !== undefined && { digest: running }) };
    },
  };
}

type Again = Extract<ReturnType<typeof judgeStatus>, { end: 'again' }>;

/** Downloads once, over a connection of its own, as a real device does. */
async function download(
  { ca, url: home }: Site,
  url: string,
  digest: string,
  spoil: boolean,
  signal: AbortSignal,
): Promise<FetchOutcome | Again> {
  const mode = ca === undefined ? 'system' : 'auto';
  const transport = createTransport({ ca: ca ?? '', pinnedHost: new URL(home).hostname, mode }, systemClock);
  let answer: Answer | undefined;
  try {
    answer = await transport.get(new URL(url), { 'user-agent': 'srup-simulate' }, signal);
    if (answer.status !== 200) {
      const verdict = judgeStatus(answer.status, answer.header('retry-after'), Date.now());
      return verdict.end === 'over' ? verdict.outcome : (verdict as Again);
    }
    const hash = createHash('sha256');
    if (spoil) hash.update('x');
    let bytes = 0;
    for await (const chunk of answer.body) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) return 'no-file';
      hash.update(chunk);
    }
    return hash.digest('hex') === digest ? 'ok' : 'bad-digest';
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    return { end: 'again', cause: 'no-server', reason: `a download failed: ${reason}` };
  } finally {
    answer?.discard();
  }
}
