import { backoffMs, within, type Delay, type Log, type MqttLink } from '@srup/node';
import { layoutOfCode, type Random } from '@srup/protocol';
import type { Meter } from '../metrics/meter.ts';
import { devicesOwed, dropSent, takeReady, type OutboxPorts } from './ready.ts';
import { topicOf, type Subscriptions } from './subscriptions.ts';

/** Devices that are served at the same time. One that hangs takes one of these places, and delays no other device. */
const DEVICES_AT_ONCE = 64;
/** Timeout for what is being sent when the server stops, in milliseconds. The outbox keeps the rest. */
const STOP_TIMEOUT_MS = 5_000;
/** How long sent rows stay in the outbox, so that one commit deletes many, in milliseconds. */
const DROP_MS = 200;
/** Devices whose sent rows one commit deletes. */
const DROPPED_AT_ONCE = 250;
/** Time before a device is tried again after a failure. Each failure doubles it; it is jittered (P 10.10). */
const BACKOFF = { leastMs: 500, mostMs: 60_000 } as const;

/** Place of the type byte in a message (P 2). */
const TYPE_AT = 1;

export interface Sender {
  /** Call it when a message to this device was committed. */
  wake(device: string): void;
  /** Call it when the link is up and the answers of devices can be heard. */
  open(): void;
  /** Call it when the link is down. What is owed waits in the outbox. */
  shut(): void;
  /** Wakes all devices that messages are owed to since before the start. */
  wakeOwed(): Promise<void>;
  /** Resolves when nothing is being sent any more, or after a timeout: the outbox keeps the rest. */
  stop(): Promise<void>;
}

export interface SenderPorts extends OutboxPorts {
  readonly link: Pick<MqttLink, 'publish'>;
  readonly subscriptions: Pick<Subscriptions, 'ensure'>;
  /** Called when rows were deleted: the timeouts of their exchanges can run now. */
  readonly onEmptied: () => void;
  readonly meter: Meter;
  readonly random: Pick<Random, 'unit'>;
  readonly delay: Delay;
  readonly log: Log;
}

/**
 * Empties the outbox (P 5.1): it signs, commits the signed bytes, publishes, and deletes the row soon after the broker
 * has the message. A server that is killed in between goes on with the same number and, once they are committed, the
 * same bytes. So a device refuses as seen what it has already.
 *
 * @example
 * const sender = createSender({ store, signer, link, subscriptions, ... });
 * await sender.wakeOwed();
 * sender.open();
 */
export function createSender(ports: SenderPorts): Sender {
  const { link, subscriptions, onEmptied, meter, random, delay, log } = ports;
  const ready = new Set<string>();
  const busy = new Set<string>();
  const failures = new Map<string, number>();
  const retries = new Map<string, () => void>();
  /** The id of the last row of each device that the broker has. It is deleted with those before it. */
  const sent = new Map<string, number>();
  let dropping: (() => void) | undefined;
  let isOpen = false;
  let onIdle: () => void = () => undefined;

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
    } catch (fault) {
      ready.add(device);
      if (isOpen) retryLater(device, fault);
    }
  }

  /** Returns false when nothing is owed to this device any more. */
  async function sendSome(device: string): Promise<boolean> {
    const messages = await takeReady(ports, device, sent.get(device));
    for (const { id, bytes } of messages) {
      if (!isOpen) break;
      await link.publish(topicOf(device), bytes);
      meter.sent(layoutOfCode(bytes[TYPE_AT] ?? 0)?.type ?? 'unknown');
      sent.set(device, id);
      dropping ??= delay(DROP_MS, () => void dropSoon());
    }
    return messages.length > 0;
  }

  async function dropSoon(): Promise<void> {
    dropping = undefined;
    await dropAll().catch((fault: unknown) => {
      log.warn(
        { err: fault },
        'sent messages could not be deleted from the outbox yet; a restart would send them again',
      );
      dropping ??= delay(BACKOFF.mostMs, () => void dropSoon());
    });
  }

  async function dropAll(): Promise<void> {
    while (sent.size > 0) {
      const some = [...sent].slice(0, DROPPED_AT_ONCE);
      await dropSent(ports, some);
      for (const [device, id] of some) if (sent.get(device) === id) sent.delete(device);
      onEmptied();
    }
  }

  function retryLater(device: string, fault: unknown): void {
    const times = (failures.get(device) ?? 0) + 1;
    failures.set(device, times);
    const wait = backoffMs(times, BACKOFF, random.unit());
    log.warn({ err: fault, device, retryMs: Math.round(wait) }, 'a message could not be sent yet');
    const callOff = delay(wait, () => {
      retries.delete(device);
      pump();
    });
    retries.set(device, callOff);
  }

  function callOffRetries(): void {
    for (const callOff of retries.values()) callOff();
    retries.clear();
    failures.clear();
  }

  return {
    wake: (device) => {
      ready.add(device);
      pump();
    },
    open: () => {
      isOpen = true;
      callOffRetries();
      pump();
    },
    shut: () => {
      isOpen = false;
    },
    wakeOwed: async () => {
      for (const device of await devicesOwed(ports.store.read)) ready.add(device);
      pump();
    },
    stop: async () => {
      isOpen = false;
      callOffRetries();
      dropping?.();
      const idle = new Promise<void>((resolve) => (onIdle = resolve));
      if (busy.size === 0) onIdle();
      await within(delay, STOP_TIMEOUT_MS, idle.then(dropAll), 'sending did not end').catch(
        (fault: unknown) => {
          log.warn({ err: fault }, 'sending did not end in time; the next start sends the rest again');
        },
      );
    },
  };
}
