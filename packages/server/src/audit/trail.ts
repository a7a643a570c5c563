/** The audit trail of a server while it runs: begins it, checks it, seals, signs, and hands to witnesses. */
import { createQueue, importVerifyKey, publicFingerprint } from '@srup/node';
import type { AuditEntryView, AuditQuery, AuditStatus } from '../api/forms/audit.ts';
import type { Page } from '../api/forms/pages.ts';
import { headOf } from '../chain/head.ts';
import { createAlarms } from './alarms.ts';
import { alarmEntry, append, beginTrail } from './begin.ts';
import { lastCheckpoint, signCheckpoint, type StoredCheckpoint } from './checkpoints.ts';
import { isUrl } from './deliver.ts';
import { exportTrail, type ExportWish } from './export.ts';
import { StoreFault } from '../store/fault.ts';
import type { TrailOptions, TrailPorts } from './ports.ts';
import { searchTrail } from './search.ts';
import { sealTrail } from './seal.ts';
import { nameWitnesses, openWitness } from './witness.ts';

/** The trail is signed after this many new entries, or after this time when there is any. */
const CHECKPOINT_ENTRIES = 1_000;
const CHECKPOINT_MS = 300_000;
/** Between two inspections of the trail of a running server, in milliseconds. */
const INSPECT_MS = 3_600_000;
/** Between two looks at whether it is time, in milliseconds. */
const LOOK_MS = 10_000;
/** For witnesses to take the last checkpoint when the server stops, in milliseconds. The next start brings the rest. */
const STOP_MS = 5_000;

export interface Trail {
  status(): Promise<AuditStatus>;
  /** Seals what waits, and signs. */
  checkpoint(): Promise<StoredCheckpoint>;
  search(query: AuditQuery): Promise<Page<AuditEntryView>>;
  /** Gives lines of JSON, sealed and signed to the end (docs/audit.md). */
  export(wish: ExportWish): AsyncGenerator<string, void>;
  /** Adds the last entry, signs, and gives the witnesses a last chance. */
  close(): Promise<void>;
}

/**
 * Opens the trail of a server that starts: inspects it, adds what this start has to tell, seals and signs it. From then
 * on it signs by itself until `close`.
 *
 * @example
 * const trail = await openTrail({ ...identity, witnesses: ['/media/usb/witness.jsonl'] }, ports);
 * const { seq } = await trail.checkpoint();
 */
export async function openTrail(options: TrailOptions, ports: TrailPorts): Promise<Trail> {
  const { server, publicKeys } = options;
  const { store, clock, log } = ports;
  const own = { server, key: importVerifyKey(publicKeys.ed25519.signing) };
  const alarms = createAlarms(
    own,
    options.witnesses.filter((place) => !isUrl(place)),
    { read: store.read, log },
  );
  await beginTrail(options, ports, await alarms.findNew());
  await nameWitnesses(store, options.witnesses);
  const witnesses = await Promise.all(options.witnesses.map((place) => openWitness(place, ports)));
  const turns = createQueue();
  let inspectedAt = clock.monotonic();
  let sealedAt = -Infinity;

  function checkpoint(mustSeal = true): Promise<StoredCheckpoint> {
    return turns.run(async () => {
      if (mustSeal) {
        await sealTrail(store, ports.keyEvents, clock.now());
        sealedAt = clock.monotonic();
      }
      const signed = await signCheckpoint(store, { server, key: ports.signKey }, clock.now());
      for (const witness of witnesses) witness.nudge();
      return signed;
    });
  }

  async function inspect(): Promise<void> {
    inspectedAt = clock.monotonic();
    const found = await alarms.findNew();
    await append(store, ...found.map((what) => alarmEntry(what, clock.now())));
  }

  async function look(): Promise<void> {
    if (clock.monotonic() - inspectedAt >= INSPECT_MS) await turns.run(inspect);
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
        alarms: alarms.all(),
      };
    },
    close: async () => {
      clearInterval(timer);
      try {
        await append(store, { kind: 'stop', at: clock.now(), body: { version: options.version } });
        await checkpoint();
      } catch (fault) {
        // The next start finds that this run did not end in good order, and signs what there is.
        if (!(fault instanceof StoreFault)) throw fault;
        log.warn({ err: fault }, 'the end of this run could not be recorded in the audit trail');
      }
      await Promise.all(witnesses.map((witness) => witness.stop(STOP_MS)));
    },
  };
}
