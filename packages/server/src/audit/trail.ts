/** The audit trail of a server while it runs: begins it, checks it, seals, signs, and hands to witnesses. */
import { importVerifyKey, publicFingerprint, type PublicPems } from '@srup/node';
import type { Clock, Random, SignKey, SuiteName } from '@srup/protocol';
import type { AuditEntryView, AuditQuery, AuditStatus } from '../api/forms/audit.ts';
import type { Page } from '../api/forms/pages.ts';
import type { KeyEvents } from '../keyservice/events.ts';
import type { FleetTables } from '../store/tables.ts';
import { headOf } from './append.ts';
import { alarmEntry, append, beginTrail } from './begin.ts';
import { lastCheckpoint, signCheckpoint, type StoredCheckpoint } from './checkpoints.ts';
import { inspectTrail } from './inspect.ts';
import { exportTrail, type ExportWish } from './export.ts';
import { searchTrail } from './search.ts';
import { sealTrail } from './seal.ts';
import { isUrl, nameWitnesses, openWitness, type Witness } from './witness.ts';
import type { Store } from '../store/port.ts';

/** The trail is signed when so many entries have come, or after so long when anything has. */
const CHECKPOINT_ENTRIES = 1_000;
const CHECKPOINT_MS = 300_000;
/** The trail of a running server is looked at again, too. */
const INSPECT_MS = 3_600_000;
/** Between two looks at whether it is time. */
const LOOK_MS = 10_000;
/** For witnesses to take the last checkpoint when the server stops; the next start brings what is left. */
const STOP_MS = 5_000;

export interface TrailOptions {
  readonly store: Store<FleetTables>;
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
  readonly random: Pick<Random, 'unit'>;
  readonly log: {
    error(fields: object, text: string): void;
    warn(fields: object, text: string): void;
  };
}

export interface Trail {
  status(): Promise<AuditStatus>;
  /** Seals what waits, and signs. */
  checkpoint(): Promise<StoredCheckpoint>;
  search(query: AuditQuery): Promise<Page<AuditEntryView>>;
  /** Lines of JSON, sealed and signed to the end (docs/audit.md). */
  export(wish: ExportWish): AsyncGenerator<string, void>;
  /** The last entries, the last signature, and the witnesses' last chance. */
  close(): Promise<void>;
}

export async function openTrail(options: TrailOptions): Promise<Trail> {
  const { store, server, publicKeys, signKey, keyEvents, clock, random, log } = options;
  const own = { server, key: importVerifyKey(publicKeys.ed25519.signing) };
  const signer = { server, key: signKey };
  const files = options.witnesses.filter((place) => !isUrl(place));
  const alarms: string[] = [];
  let inspectedAt = clock.monotonic();
  await beginTrail(options, await findNew());
  await nameWitnesses(store, options.witnesses);
  const witnesses = await Promise.all(
    options.witnesses.map((place) => openWitness(place, { store, clock, random, log })),
  );
  let sealedAt = -Infinity;
  let turn: Promise<unknown> = Promise.resolve();

  /** What is wrong with the trail, and was not found before. */
  async function findNew(): Promise<readonly string[]> {
    const found = (await inspectTrail(store.read, own, files)).filter((what) => !alarms.includes(what));
    for (const what of found) log.error({ what }, 'the audit trail is not what this server signed');
    alarms.push(...found);
    return found;
  }

  /** One after the other. */
  function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  }

  function checkpoint(mustSeal = true): Promise<StoredCheckpoint> {
    return inTurn(async () => {
      if (mustSeal) {
        await sealTrail(store, keyEvents, clock.now());
        sealedAt = clock.monotonic();
      }
      const signed = await signCheckpoint(store, signer, clock.now());
      for (const witness of witnesses) witness.nudge();
      return signed;
    });
  }

  async function look(): Promise<void> {
    if (clock.monotonic() - inspectedAt >= INSPECT_MS) {
      inspectedAt = clock.monotonic();
      await inTurn(async () => {
        const found = await findNew();
        await append(store, ...found.map((what) => alarmEntry(what, clock.now())));
      });
    }
    const isSealDue = clock.monotonic() - sealedAt >= CHECKPOINT_MS;
    const last = await lastCheckpoint(store.read);
    const { seq } = await headOf(store.read);
    if (isSealDue || seq - (last?.seq ?? 0) >= CHECKPOINT_ENTRIES) await checkpoint(isSealDue);
  }

  await checkpoint();
  const timer = setInterval(() => {
    look().catch((fault: unknown) => {
      log.error({ err: fault }, 'the audit trail could not be signed; it is tried again');
    });
  }, LOOK_MS).unref();

  return {
    checkpoint: () => checkpoint(),
    search: (query) => searchTrail(store.read, query),
    export: async function* (wish) {
      await checkpoint();
      yield* exportTrail(store.read, server, wish, clock.now());
    },
    status: async () => {
      const last = await lastCheckpoint(store.read);
      return {
        server,
        keyFingerprint: publicFingerprint(publicKeys.ed25519.signing),
        entries: (await headOf(store.read)).seq,
        ...(last !== undefined && { checkpoint: { seq: last.seq, at: last.at } }),
        witnesses: witnesses.map((witness) => witness.view()),
        alarms: [...alarms],
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
