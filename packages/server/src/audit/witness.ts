import { open } from 'node:fs/promises';
import type { Updateable } from 'kysely';
import { backoffMs } from '@srup/node';
import type { Clock, Random, SignedCheckpoint } from '@srup/protocol';
import type { WitnessView } from '../api/forms/audit.ts';
import type { AuditTables } from './tables.ts';
import type { Store } from '../store/port.ts';

const CHECKPOINTS_AT_ONCE = 100;
/** For one checkpoint to reach a URL, in milliseconds. */
const POST_TIMEOUT_MS = 10_000;
/** Before a witness is tried again: doubled with each failure. */
const BACKOFF = { leastMs: 1_000, mostMs: 300_000 } as const;

/** Somebody else who keeps the checkpoints, so that the server can't take them back. */
export interface Witness {
  view(): WitnessView;
  /** There is a new checkpoint. */
  nudge(): void;
  /** Brings what it can within the time, and ends. */
  stop(withinMs: number): Promise<void>;
}

interface Log {
  warn(fields: object, text: string): void;
}

export interface WitnessOptions {
  readonly store: Store<AuditTables>;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Pick<Random, 'unit'>;
  readonly log: Log;
}

/** Of those that were ever named, these are in use from now on. */
export async function nameWitnesses(store: Store<AuditTables>, places: readonly string[]): Promise<void> {
  await store.commit(async (transaction) => {
    await transaction.updateTable('audit_witnesses').set({ in_use: 0 }).execute();
    for (const place of places) {
      await transaction
        .insertInto('audit_witnesses')
        .values({ place, seq: 0, taken_at: null, trouble: null, in_use: 1 })
        .onConflict((conflict) => conflict.column('place').doUpdateSet({ in_use: 1 }))
        .execute();
    }
  });
}

/** Brings all checkpoints to a named one, in order, from where it left off. Holds up nobody; what fails is tried again. */
export async function openWitness(
  place: string,
  { store, clock, random, log }: WitnessOptions,
): Promise<Witness> {
  const deliver = isUrl(place) ? deliverToUrl : deliverToFile;
  const known = await store.read
    .selectFrom('audit_witnesses')
    .select(['seq', 'taken_at', 'trouble'])
    .where('place', '=', place)
    .executeTakeFirstOrThrow();
  let { seq } = known;
  let takenAt = known.taken_at ?? undefined;
  let trouble = known.trouble ?? undefined;
  let failures = 0;
  let failuresInTurn = 0;
  let running: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;
  let isStopped = false;
  const ending = new AbortController();

  async function bring(): Promise<void> {
    while (!ending.signal.aborted) {
      const rows = await store.read
        .selectFrom('audit_checkpoints')
        .selectAll()
        .where('seq', '>', seq)
        .orderBy('seq')
        .limit(CHECKPOINTS_AT_ONCE)
        .execute();
      const last = rows.at(-1);
      if (last === undefined) return;
      await deliver(place, rows, ending.signal);
      const news = { seq: last.seq, taken_at: clock.now(), trouble: null };
      await note(news);
      seq = news.seq;
      takenAt = news.taken_at;
      trouble = undefined;
      failuresInTurn = 0;
    }
  }

  async function note(news: Updateable<AuditTables['audit_witnesses']>): Promise<void> {
    await store.commit((write) =>
      write.updateTable('audit_witnesses').set(news).where('place', '=', place).execute(),
    );
  }

  async function fail(fault: unknown): Promise<void> {
    if (ending.signal.aborted) return;
    trouble = fault instanceof Error ? reasonOf(fault) : String(fault);
    failures += 1;
    failuresInTurn += 1;
    const waitMs = Math.round(backoffMs(failuresInTurn, BACKOFF, random.unit()));
    log.warn(
      { place: shownPlace(place), trouble, retryMs: waitMs },
      'a witness did not take the checkpoints',
    );
    if (!isStopped) retry = setTimeout(nudge, waitMs).unref();
    await note({ trouble }).catch(() => undefined); // a disk in trouble; here it is known all the same
  }

  function nudge(): void {
    clearTimeout(retry);
    if (ending.signal.aborted) return;
    running ??= bring()
      .catch(fail)
      .finally(() => (running = undefined));
  }

  async function bringLast(): Promise<void> {
    // What runs may have read before the last checkpoint was made.
    await running;
    nudge();
    await running;
  }

  return {
    view: () => ({
      place: shownPlace(place),
      seq,
      ...(takenAt !== undefined && { takenAt }),
      failures,
      ...(trouble !== undefined && { trouble }),
    }),
    nudge,
    stop: async (withinMs) => {
      isStopped = true;
      const end = new Promise<void>((resolve) => setTimeout(resolve, withinMs).unref());
      await Promise.race([bringLast(), end]);
      ending.abort();
      clearTimeout(retry);
    },
  };
}

export function isUrl(place: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(place);
}

/** What others see of a witness: the query of its URL may hold a key. */
export function shownPlace(place: string): string {
  return isUrl(place) ? place.replace(/[?#].*$/, '') : place;
}

/** One JSON object, as it is in witness files and sent to URLs. */
export function formatCheckpoint({ text, signature }: SignedCheckpoint): string {
  return JSON.stringify({ checkpoint: text, signature });
}

async function deliverToFile(path: string, checkpoints: readonly SignedCheckpoint[]): Promise<void> {
  // For others to read: there is no secret in it.
  const file = await open(path, 'a', 0o644);
  try {
    const lines = checkpoints.map((one) => `${formatCheckpoint(one)}\n`).join('');
    await file.writeFile((await isTorn(path)) ? `\n${lines}` : lines);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** A power cut leaves half a line: what is written next would be one with it. */
async function isTorn(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined); // others may let us add to it only
  if (file === undefined) return false;
  try {
    const { size } = await file.stat();
    const { bytesRead, buffer } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    return bytesRead === 1 && buffer.toString() !== '\n';
  } finally {
    await file.close();
  }
}

async function deliverToUrl(
  url: string,
  checkpoints: readonly SignedCheckpoint[],
  ending: AbortSignal,
): Promise<void> {
  for (const checkpoint of checkpoints) {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: formatCheckpoint(checkpoint),
      redirect: 'error',
      signal: AbortSignal.any([ending, AbortSignal.timeout(POST_TIMEOUT_MS)]),
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`it answered with the status ${answer.status}`);
  }
}

/** Of a failed fetch the cause says more than the error. */
function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error ? cause.message : message;
}
