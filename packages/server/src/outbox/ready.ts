import type { Clock } from '@srup/protocol';
import { appendMessages, type Evidence } from '../evidence/messages.ts';
import type { Read, Store, Write } from '../store/port.ts';
import { atMost, prepare } from '../store/prepared.ts';
import { prepareRows, type Given } from '../store/rows.ts';
import { readDraft } from './draft.ts';
import { sentEvidence, type AddresseeRow, type Signer } from './sign.ts';
import type { OutboxRow } from '../store/schema/outbox.ts';
import type { CoreTables } from '../store/schema/tables.ts';
import { decideEntries, type DeservesEntry } from '../evidence/budget.ts';

/** Messages to one device that are taken from the outbox at once. */
const MESSAGES_AT_ONCE = 16;
/** Timeout of a signature, in milliseconds. */
const SIGN_TIMEOUT_MS = 30_000;

/** A message that may leave: its number and its signed bytes are committed. */
export interface Ready {
  readonly id: number;
  readonly bytes: Uint8Array;
}

type Owed = Pick<OutboxRow, 'id' | 'device' | 'sequence' | 'message' | 'is_signed'> &
  Omit<AddresseeRow, 'id'>;

const selectOwed = prepare((read, p: { readonly device: string; readonly after: number }) =>
  read
    .selectFrom('outbox')
    .innerJoin('devices', 'devices.id', 'outbox.device')
    .select(['outbox.id', 'device', 'sequence', 'message', 'is_signed'])
    .select(['suite', 'identification', 'public_pem', 'seal_pem'])
    .where('device', '=', p.device)
    .where('outbox.id', '>', p.after)
    .orderBy('outbox.id')
    .limit(atMost(MESSAGES_AT_ONCE)),
);
interface Sent {
  readonly device: string;
  readonly last: number;
}
const deleteSent = prepareRows(
  { device: 'text', last: 'integer' },
  (write: Write<CoreTables>, given: Given<Sent>) =>
    write.deleteFrom('outbox').where('id', 'in', (from) =>
      from
        .selectFrom('outbox as owed')
        .innerJoin(given.table, (join) =>
          join.onRef('owed.device', '=', 'given.device').onRef('owed.id', '<=', 'given.last'),
        )
        .select('owed.id'),
    ),
);

interface SignedRow {
  readonly id: number;
  readonly bytes: Uint8Array;
}
const storeSigned = prepareRows(
  { id: 'integer', bytes: 'blob' },
  (write: Write<CoreTables>, given: Given<SignedRow>) =>
    write
      .updateTable('outbox')
      .from(given.table)
      .set((set) => ({ message: set.ref('given.bytes'), is_signed: 1 }))
      .whereRef('outbox.id', '=', 'given.id'),
);

export interface OutboxPorts {
  readonly store: Store<CoreTables>;
  readonly signer: Signer;
  readonly clock: Pick<Clock, 'now'>;
  readonly deservesEntry: DeservesEntry;
}

/**
 * Takes the oldest messages that are owed to a device, in their order. Signs and commits those that are not signed yet
 * (P 5.1). `after`: the id of the last one that the broker has.
 *
 * @example
 * for (const { id, bytes } of await takeReady(ports, device, last)) await link.publish(topicOf(device), bytes);
 */
export async function takeReady(ports: OutboxPorts, device: string, after = 0): Promise<readonly Ready[]> {
  const { rows: owed } = await selectOwed(ports.store.read, { device, after });
  const signed = await signAll(ports, owed);
  return owed.map(({ id, message }) => ({ id, bytes: signed.get(id) ?? message }));
}

async function signAll(
  { store, signer, clock, deservesEntry }: OutboxPorts,
  owed: readonly Owed[],
): Promise<ReadonlyMap<number, Uint8Array>> {
  const unsigned = owed.filter((row) => row.is_signed === 0);
  if (unsigned.length === 0) return new Map();
  const made = await Promise.all(
    unsigned.map(async ({ id, device, sequence, message, ...row }) => ({
      id,
      device,
      ...(await signer.sign({ id: device, ...row }, readDraft(message), BigInt(sequence), SIGN_TIMEOUT_MS)),
    })),
  );
  const at = clock.now();
  // Decided before the commit, because its work can run twice.
  const evidence = decideEntries(
    made.map((one) => sentEvidence(one.device, one, at)),
    deservesEntry,
  );
  await store.add(writeSigned, { made, evidence });
  return new Map(made.map(({ id, bytes }) => [id, bytes]));
}

async function writeSigned(
  write: Write<CoreTables>,
  pieces: readonly { readonly made: readonly SignedRow[]; readonly evidence: readonly Evidence[] }[],
): Promise<readonly undefined[]> {
  await Promise.all([
    storeSigned(
      write,
      pieces.flatMap(({ made }) => made),
    ),
    appendMessages(
      write,
      pieces.flatMap(({ evidence }) => evidence),
    ),
  ]);
  return pieces.map(() => undefined);
}

/**
 * Deletes what the broker has: for each device the row with this id, and those before it.
 *
 * @example
 * await dropSent(ports, [['27ab54d670b64be2', 7]]);
 */
export async function dropSent(
  { store }: Pick<OutboxPorts, 'store'>,
  last: readonly (readonly [string, number])[],
): Promise<void> {
  const rows = last.map(([device, id]) => ({ device, last: id }));
  await store.commit((write) => deleteSent(write, rows));
}

/**
 * The devices that messages are owed to. The one that waits longest comes first.
 *
 * @example
 * await devicesOwed(store.read); // ['27ab54d670b64be2', ...]
 */
export async function devicesOwed(read: Read<CoreTables>): Promise<readonly string[]> {
  const rows = await read
    .selectFrom('outbox')
    .select(['device', (select) => select.fn.min('id').as('first')])
    .groupBy('device')
    .orderBy('first')
    .execute();
  return rows.map(({ device }) => device);
}
