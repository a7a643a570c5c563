import {
  compose,
  confirmsCommands,
  decode,
  parseIdentity,
  tokenKey,
  type Addressee,
  type Draft,
  type Identity,
  type Signed,
  type SuiteName,
} from '@srup/protocol';
import { appendMessages } from '../evidence/messages.ts';
import type { Write } from '../store/port.ts';
import { prepare } from '../store/prepared.ts';
import type { FleetTables, NewMessage, OutboxRow } from '../store/tables.ts';
import type { Change } from '../turn/change.ts';
import type { Core } from '../turn/core.ts';
import { within } from '../turn/deadline.ts';

/** Messages to one device that are taken from the outbox at once. */
const MESSAGES_AT_ONCE = 16;
/** For a signature, in milliseconds. */
const SIGN_TIMEOUT_MS = 30_000;
/** For a signature that a command waits for, in milliseconds. */
const EARLY_TIMEOUT_MS = 1_000;

/** A message that may leave: its number and its bytes are committed. */
export interface Ready {
  readonly id: number;
  readonly bytes: Uint8Array;
}

type Owed = Pick<OutboxRow, 'id' | 'device' | 'message' | 'is_signed'> & {
  readonly suite: SuiteName;
  readonly identification: string | null;
};

const selectOwed = prepare((store, p: { readonly device: string; readonly after: number }) =>
  store
    .selectFrom('outbox')
    .innerJoin('devices', 'devices.id', 'outbox.device')
    .select(['outbox.id', 'device', 'message', 'is_signed', 'suite', 'identification'])
    .where('device', '=', p.device)
    .where('outbox.id', '>', p.after)
    .orderBy('outbox.id')
    .limit(MESSAGES_AT_ONCE),
);
const deleteSent = prepare(
  (store: Write<FleetTables>, p: { readonly device: string; readonly last: number }) =>
    store.deleteFrom('outbox').where('device', '=', p.device).where('id', '<=', p.last),
);

/**
 * The oldest messages that are owed to a device, in their order; signed and committed first, if they are not (P 5.1).
 * `after`: the last one that the broker has.
 */
export async function takeReady(core: Core, device: string, after = 0): Promise<readonly Ready[]> {
  const { rows: owed } = await selectOwed(core.store.read, { device, after });
  const signed = await signAll(core, owed);
  return owed.map(({ id, message }) => ({ id, bytes: signed.get(id) ?? message }));
}

/** The broker has them: of each device these rows and those before. */
export async function dropSent(core: Core, last: readonly (readonly [string, number])[]): Promise<void> {
  await core.store.commit(async (transaction) => {
    for (const [device, id] of last) await deleteSent(transaction, { device, last: id });
  });
}

/** Devices that something is owed to; who waits longest comes first. */
export async function devicesOwed({ store }: Core): Promise<readonly string[]> {
  const rows = await store.read
    .selectFrom('outbox')
    .select(['device', (select) => select.fn.min('id').as('first')])
    .groupBy('device')
    .orderBy('first')
    .execute();
  return rows.map(({ device }) => device);
}

/**
 * Signs what a change sends before it is committed, which saves a command its second commit. Not for answers: they
 * are made while the link waits. What could not be signed is left to `takeReady`.
 */
export async function signEarly(core: Core, change: Change): Promise<void> {
  const { id: device, suite, identification } = change.record.row;
  try {
    change.outgoing = await Promise.all(
      change.outgoing.map(async ({ sequence, message }) => {
        const signed = await sign(core, { device, message, suite, identification }, EARLY_TIMEOUT_MS);
        return { sequence, message: signed.bytes, sent: evidenceOf(device, signed, change.at) };
      }),
    );
  } catch (fault) {
    core.log.warn({ err: fault, device }, 'a message is stored unsigned, and signed before it leaves');
  }
}

async function signAll(core: Core, owed: readonly Owed[]): Promise<ReadonlyMap<number, Uint8Array>> {
  const unsigned = owed.filter((row) => row.is_signed === 0);
  if (unsigned.length === 0) return new Map();
  const signed = await Promise.all(
    unsigned.map(async (row) => ({
      id: row.id,
      device: row.device,
      ...(await sign(core, row, SIGN_TIMEOUT_MS)),
    })),
  );
  const at = core.clock.now();
  await core.store.commit(async (transaction) => {
    for (const { id, bytes } of signed) {
      await transaction
        .updateTable('outbox')
        .set({ message: bytes, is_signed: 1 })
        .where('id', '=', id)
        .execute();
    }
    await appendMessages(
      transaction,
      signed.map((one) => evidenceOf(one.device, one, at)),
      core.deservesEntry,
    );
  });
  return new Map(signed.map(({ id, bytes }) => [id, bytes]));
}

type Unsigned = Pick<Owed, 'device' | 'message' | 'suite' | 'identification'>;

function sign(
  core: Core,
  { device, message: unsigned, suite, identification }: Unsigned,
  timeoutMs: number,
): Promise<Signed> {
  const decoded = decode(unsigned);
  if (!decoded.ok) throw new Error(`the outbox holds no message for ${device}: ${decoded.code}`);
  const { type, token, body, sequence } = decoded.value.message;
  const addressee: Addressee = {
    id: parseIdentity(device) as Identity,
    terminatedText: wantsTerminatedText(suite, identification),
  };
  const signing = compose(
    { type, token, body } as Draft,
    sequence,
    core.serverId,
    addressee,
    core.keys[suite],
  );
  return within(core.delay, timeoutMs, signing, 'the signature did not come');
}

/**
 * P 2.5. pySRUP reads a text up to its NUL and, where there is none, past its end. What it says of itself is its
 * owner's to choose, and nothing at first; but its keys are RSA. Ours say who they are.
 */
function wantsTerminatedText(suite: SuiteName, identification: string | null): boolean {
  return suite === 'rsa-sha256' && !confirmsCommands(identification ?? '');
}

function evidenceOf(device: string, { message, bytes }: Signed, at: number): NewMessage {
  const { type, sequence, token } = message;
  return { at, device, direction: 'out', type, sequence: sequence.toString(), token: tokenKey(token), bytes };
}
