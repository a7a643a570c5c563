import {
  compose,
  decode,
  parseIdentity,
  tokenKey,
  type Addressee,
  type Draft,
  type Identity,
  type Message,
  type SuiteName,
} from '@srup/protocol';
import { appendMessages } from '../store/evidence.ts';
import type { NewMessage, OutboxRow } from '../store/tables.ts';
import type { Core } from './core.ts';
import { within } from './deadline.ts';
import { topicOf, type Subscriptions } from './subscriptions.ts';

/** Devices that are sent to at the same time. One that hangs holds one of these places, and nobody else. */
const DEVICES_AT_ONCE = 64;
/** Messages to one device that are taken from the outbox at once; sent in their order. */
const MESSAGES_AT_ONCE = 16;
/** For a signature, in milliseconds. */
const SIGN_TIMEOUT_MS = 30_000;
/** For what is being sent when the server stops, in milliseconds; the outbox keeps what does not get done. */
const STOP_TIMEOUT_MS = 5_000;
/** Before a device is tried again after a failure: doubled with each, and jittered (P 10.10). */
const BACKOFF = { leastMs: 500, mostMs: 60_000 } as const;
/** What pySRUP says of itself begins so (P 2.5). */
const REFERENCE = 'pySRUP';

export interface Sender {
  /** Something for this device was committed. */
  wake(device: string): void;
  /** The link is up, and what devices answer will be heard. */
  open(): void;
  /** The link is down: what is owed waits in the outbox. */
  shut(): void;
  /** All devices that something is owed to since before the start; the oldest first. */
  wakeOwed(): Promise<void>;
  /** Resolves when nothing is being sent any more, or hangs: the outbox keeps it. */
  stop(): Promise<void>;
}

type Owed = Pick<OutboxRow, 'id' | 'device' | 'message' | 'is_signed'> & {
  readonly suite: SuiteName;
  readonly identification: string | null;
};

interface Ready {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/**
 * Empties the outbox (P 5.1): sign, commit the signed bytes, publish, and drop the row when the broker has it. Killed
 * anywhere in between it goes on with the same number and, once they are committed, the same bytes.
 * `onEmptied`: nothing is owed to some device any more.
 */
export function createSender(core: Core, subscriptions: Subscriptions, onEmptied: () => void): Sender {
  const ready = new Set<string>();
  const busy = new Set<string>();
  const failures = new Map<string, number>();
  const retries = new Map<string, () => void>();
  let isOpen = false;
  let onIdle: () => void = () => undefined;

  function wake(device: string): void {
    ready.add(device);
    pump();
  }

  function pump(): void {
    if (busy.size === 0) onIdle();
    for (const device of ready) {
      if (!isOpen || busy.size >= DEVICES_AT_ONCE) return;
      if (busy.has(device) || retries.has(device)) continue;
      ready.delete(device);
      busy.add(device);
      void serve(device).finally(() => {
        busy.delete(device);
        pump();
      });
    }
  }

  async function serve(device: string): Promise<void> {
    try {
      await subscriptions.ensure(device);
      while (isOpen && (await sendSome(device)));
      failures.delete(device);
      onEmptied();
    } catch (fault) {
      ready.add(device);
      if (isOpen) retryLater(device, fault);
    }
  }

  function retryLater(device: string, fault: unknown): void {
    const times = (failures.get(device) ?? 0) + 1;
    failures.set(device, times);
    const wait = Math.min(BACKOFF.mostMs, BACKOFF.leastMs * 2 ** (times - 1)) * (0.5 + core.random.unit() / 2);
    core.log.warn({ err: fault, device, retryMs: Math.round(wait) }, 'a message could not be sent yet');
    const callOff = core.delay(wait, () => {
      retries.delete(device);
      pump();
    });
    retries.set(device, callOff);
  }

  /** False when nothing is owed to this device any more. */
  async function sendSome(device: string): Promise<boolean> {
    const owed = await readOwed(device);
    if (owed.length === 0) return false;
    const messages = await signAll(owed);
    let last: number | undefined;
    try {
      for (const { id, bytes } of messages) {
        if (!isOpen) break;
        await core.link.publish(topicOf(device), bytes);
        last = id;
      }
    } finally {
      if (last !== undefined) await dropSent(device, last);
    }
    return true;
  }

  function readOwed(device: string): Promise<Owed[]> {
    return core.store
      .selectFrom('outbox')
      .innerJoin('devices', 'devices.id', 'outbox.device')
      .select(['outbox.id', 'device', 'message', 'is_signed', 'suite', 'identification'])
      .where('device', '=', device)
      .orderBy('outbox.id')
      .limit(MESSAGES_AT_ONCE)
      .execute();
  }

  /** The bytes are committed before they leave: after a restart the very same ones go out again. */
  async function signAll(owed: readonly Owed[]): Promise<readonly Ready[]> {
    const signed = await Promise.all(
      owed.filter((row) => row.is_signed === 0).map(async (row) => ({ row, ...(await sign(row)) })),
    );
    if (signed.length > 0) {
      const at = core.clock.now();
      await core.commit(async (transaction) => {
        for (const { row, bytes } of signed) {
          await transaction
            .updateTable('outbox')
            .set({ message: bytes, is_signed: 1 })
            .where('id', '=', row.id)
            .execute();
        }
        await appendMessages(
          transaction,
          signed.map(({ row, message, bytes }) => evidenceOf(row.device, message, bytes, at)),
        );
      });
    }
    const fresh = new Map(signed.map(({ row, bytes }) => [row.id, bytes]));
    return owed.map(({ id, message }) => ({ id, bytes: fresh.get(id) ?? message }));
  }

  async function sign({ device, message: unsigned, suite, identification }: Owed) {
    const decoded = decode(unsigned);
    if (!decoded.ok) throw new Error(`the outbox holds no message for ${device}: ${decoded.code}`);
    const { type, token, body, sequence } = decoded.value.message;
    const addressee: Addressee = {
      id: parseIdentity(device) as Identity,
      terminatedText: identification?.startsWith(REFERENCE) === true,
    };
    const signing = compose({ type, token, body } as Draft, sequence, core.serverId, addressee, core.keys[suite]);
    return within(core.delay, SIGN_TIMEOUT_MS, signing, 'the signature did not come');
  }

  async function dropSent(device: string, last: number): Promise<void> {
    await core.commit((transaction) =>
      transaction.deleteFrom('outbox').where('device', '=', device).where('id', '<=', last).execute(),
    );
  }

  return {
    wake,
    open: () => {
      isOpen = true;
      for (const callOff of retries.values()) callOff();
      retries.clear();
      failures.clear();
      pump();
    },
    shut: () => {
      isOpen = false;
    },
    wakeOwed: async () => {
      const rows = await core.store
        .selectFrom('outbox')
        .select(['device', (select) => select.fn.min('id').as('first')])
        .groupBy('device')
        .orderBy('first')
        .execute();
      for (const { device } of rows) ready.add(device);
      pump();
    },
    stop: async () => {
      isOpen = false;
      for (const callOff of retries.values()) callOff();
      if (busy.size === 0) return;
      const idle = new Promise<void>((resolve) => (onIdle = resolve));
      await within(core.delay, STOP_TIMEOUT_MS, idle, 'sending did not end').catch((fault: unknown) => {
        core.log.warn({ err: fault }, 'what is being sent now is sent again after the next start');
      });
    },
  };
}

function evidenceOf(device: string, message: Message, bytes: Uint8Array, at: number): NewMessage {
  const { type, sequence, token } = message;
  return { at, device, direction: 'out', type, sequence: sequence.toString(), token: tokenKey(token), bytes };
}
