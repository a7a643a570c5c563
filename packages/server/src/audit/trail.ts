/** The audit trail of a server while it runs: begins it, checks it, seals, signs, and hands to witnesses. */
import type { Kysely } from 'kysely';
import { importVerifyKey, publicFingerprint, type PublicPems } from '@srup/node';
import type { Clock, NewAuditEntry, SignKey, SuiteName } from '@srup/protocol';
import { deviceEntry } from '../fleet/write.ts';
import type { KeyEvents } from '../keyservice/events.ts';
import type { FleetTables } from '../store/tables.ts';
import { appendAudit, headOf } from './append.ts';
import { lastCheckpoint, signCheckpoint, type StoredCheckpoint } from './checkpoints.ts';
import { inspectTrail } from './inspect.ts';
import { sealTrail } from './seal.ts';
import { isUrl, openWitness, type Witness, type WitnessView } from './witness.ts';

/** The trail is signed when so many entries have come, or after so long when anything has. */
const CHECKPOINT_ENTRIES = 1_000;
const CHECKPOINT_MS = 300_000;
/** Between two looks at whether it is time. */
const LOOK_MS = 10_000;
/** For witnesses to take the last checkpoint when the server stops; the next start brings what is left. */
const STOP_MS = 5_000;

export interface TrailOptions {
  readonly store: Kysely<FleetTables>;
  /** Hex text of the server's identity. */
  readonly server: string;
  readonly publicKeys: Readonly<Record<SuiteName, PublicPems>>;
  /** The Ed25519 one. */
  readonly signKey: SignKey;
  readonly caFingerprint: string;
  readonly version: string;
  readonly keyEvents: KeyEvents;
  /** Files and https URLs. */
  readonly witnesses: readonly string[];
  readonly clock: Clock;
  readonly log: {
    error(fields: object, text: string): void;
    warn(fields: object, text: string): void;
  };
}

export interface TrailStatus {
  readonly server: string;
  /** SHA-256 of the key that signs checkpoints, in SPKI form: what `srup verify --server-key` takes. */
  readonly keyFingerprint: string;
  readonly entries: number;
  readonly checkpoint?: { readonly seq: number; readonly at: number };
  readonly witnesses: readonly WitnessView[];
  /** What was found wrong with the trail at this start. */
  readonly alarms: readonly string[];
}

export interface Trail {
  status(): Promise<TrailStatus>;
  /** Seals what waits, and signs. */
  checkpoint(): Promise<StoredCheckpoint | undefined>;
  /** The last entries, the last signature, and the witnesses' last chance. */
  close(): Promise<void>;
}

export async function openTrail(options: TrailOptions): Promise<Trail> {
  const { store, server, publicKeys, signKey, keyEvents, clock, log } = options;
  const own = { server, key: importVerifyKey(publicKeys.ed25519.signing) };
  const signer = { server, key: signKey };
  const files = options.witnesses.filter((place) => !isUrl(place));
  const alarms = await inspectTrail(store, own, files);
  for (const what of alarms) log.error({ what }, 'the audit trail is not what this server signed');
  await beginTrail(options, alarms);
  const witnesses = await Promise.all(options.witnesses.map((place) => openWitness(place, store, log)));
  let sealedAt = -Infinity;
  let turn: Promise<unknown> = Promise.resolve();

  /** One after the other. */
  function checkpoint(mustSeal = true): Promise<StoredCheckpoint | undefined> {
    const mine = turn.then(async () => {
      if (mustSeal) {
        await sealTrail(store, keyEvents, clock.now());
        sealedAt = clock.monotonic();
      }
      const signed = await signCheckpoint(store, signer, clock.now());
      for (const witness of witnesses) witness.nudge();
      return signed;
    });
    turn = mine.catch(() => undefined);
    return mine;
  }

  async function look(): Promise<void> {
    const isSealDue = clock.monotonic() - sealedAt >= CHECKPOINT_MS;
    const last = await lastCheckpoint(store);
    const { seq } = await headOf(store);
    if (isSealDue || seq - (last?.seq ?? 0) >= CHECKPOINT_ENTRIES) await checkpoint(isSealDue);
  }

  await checkpoint();
  const timer = setInterval(() => {
    look().catch((fault: unknown) => {
      log.error({ err: fault }, 'the audit trail could not be signed; it is tried again');
    });
  }, LOOK_MS).unref();

  return {
    checkpoint,
    status: async () => {
      const last = await lastCheckpoint(store);
      return {
        server,
        keyFingerprint: publicFingerprint(publicKeys.ed25519.signing),
        entries: (await headOf(store)).seq,
        ...(last !== undefined && { checkpoint: { seq: last.seq, at: last.at } }),
        witnesses: witnesses.map((witness) => witness.view()),
        alarms,
      };
    },
    close: async () => {
      clearInterval(timer);
      await append(store, { kind: 'stop', at: clock.now(), body: { version: options.version } });
      await checkpoint();
      await Promise.all(witnesses.map((witness: Witness) => witness.stop(STOP_MS)));
    },
  };
}

function append(store: Kysely<FleetTables>, ...entries: NewAuditEntry[]): Promise<void> {
  return store.transaction().execute((transaction) => appendAudit(transaction, ...entries));
}

/** Whose trail it is, with the keys that everything in it is verified with; then this start. */
async function beginTrail(
  { store, server, publicKeys, caFingerprint, version, clock }: TrailOptions,
  alarms: readonly string[],
): Promise<void> {
  const at = clock.now();
  if ((await headOf(store)).seq === 0) {
    const { messages } = (await store
      .selectFrom('messages')
      .select((select) => select.fn.max<number | null>('id').as('messages'))
      .executeTakeFirst()) ?? { messages: null };
    const devices = await store.selectFrom('devices').selectAll().orderBy('id').execute();
    const keys = Object.fromEntries(
      Object.entries(publicKeys).map(([suite, { signing }]) => [suite, signing]),
    ) as Record<SuiteName, string>;
    const body = { server, version, keys, ca: caFingerprint, messagesBefore: messages ?? 0 };
    await append(store, { kind: 'begin', at, body }, ...devices.map((row) => deviceEntry(row, at)));
  }
  const found = alarms.map((what): NewAuditEntry => ({ kind: 'alarm', at, body: { what } }));
  await append(store, ...found, { kind: 'start', at, body: { version } });
}
