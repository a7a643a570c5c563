import { open } from 'node:fs/promises';
import type { Kysely } from 'kysely';
import type { SignedCheckpoint } from '@srup/protocol';
import type { WitnessView } from '../contract.ts';
import type { AuditTables } from './tables.ts';

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

/** Brings all checkpoints there, in order, from where it left off. Holds up nobody; what fails is tried again. */
export async function openWitness(place: string, store: Kysely<AuditTables>, log: Log): Promise<Witness> {
  const deliver = isUrl(place) ? deliverToUrl : deliverToFile;
  const row = await store
    .selectFrom('audit_witnesses')
    .select('seq')
    .where('place', '=', place)
    .executeTakeFirst();
  let seq = row?.seq ?? 0;
  let trouble: string | undefined;
  let failures = 0;
  let running: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;
  let isStopped = false;

  async function bring(): Promise<void> {
    for (;;) {
      const rows = await store
        .selectFrom('audit_checkpoints')
        .selectAll()
        .where('seq', '>', seq)
        .orderBy('seq')
        .limit(CHECKPOINTS_AT_ONCE)
        .execute();
      const last = rows.at(-1);
      if (last === undefined) return;
      await deliver(place, rows);
      const values = { place, seq: last.seq };
      await store
        .insertInto('audit_witnesses')
        .values(values)
        .onConflict((conflict) => conflict.column('place').doUpdateSet({ seq: values.seq }))
        .execute();
      seq = last.seq;
      trouble = undefined;
      failures = 0;
    }
  }

  function fail(fault: unknown): void {
    trouble = fault instanceof Error ? reasonOf(fault) : String(fault);
    failures += 1;
    const waitMs = Math.min(BACKOFF.mostMs, BACKOFF.leastMs * 2 ** (failures - 1));
    log.warn(
      { place: shownPlace(place), trouble, retryMs: waitMs },
      'a witness did not take the checkpoints',
    );
    if (!isStopped) retry = setTimeout(nudge, waitMs).unref();
  }

  function nudge(): void {
    clearTimeout(retry);
    running ??= bring()
      .catch(fail)
      .finally(() => (running = undefined));
  }

  return {
    view: () => ({ place: shownPlace(place), seq, ...(trouble !== undefined && { trouble }) }),
    nudge,
    stop: async (withinMs) => {
      isStopped = true;
      // What runs may have read before the last checkpoint was made.
      await running;
      nudge();
      const end = new Promise<void>((resolve) => setTimeout(resolve, withinMs).unref());
      await Promise.race([running, end]);
      clearTimeout(retry);
    },
  };
}

export function isUrl(place: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(place);
}

/** What others see of a witness: the query of its URL may hold a key. */
function shownPlace(place: string): string {
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
    await file.writeFile(checkpoints.map((one) => `${formatCheckpoint(one)}\n`).join(''));
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function deliverToUrl(url: string, checkpoints: readonly SignedCheckpoint[]): Promise<void> {
  for (const checkpoint of checkpoints) {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: formatCheckpoint(checkpoint),
      redirect: 'error',
      signal: AbortSignal.timeout(POST_TIMEOUT_MS),
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`it answered with the status ${answer.status}`);
  }
}

/** Of a failed fetch the cause says more than the error. */
function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error ? cause.message : message;
}
