/** The messages of one connection: many are in hand at once, and they are acknowledged in the order of their arrival. */
import { connectionReason } from './reason.ts';

/** A message as the transport gives it: copied, and not parsed. */
export interface MqttArrival {
  readonly topic: string;
  readonly bytes: Uint8Array;
  readonly retained: boolean;
  /** The broker says that it may have brought this before (DUP). Anybody on the way can set it, so it proves nothing. */
  readonly repeated: boolean;
  /** What brought it. */
  readonly line: Line;
}

/** A connection, as those see it who take its messages. */
export interface Line {
  /** Nothing that it brought is acknowledged any more: the broker brings it again, in order. */
  readonly isOver: boolean;
  drop(reason: string): void;
}

/** A message was not begun, because the connection that brought it is over. */
export class LineOver extends Error {
  override readonly name = 'LineOver';
}

/**
 * Takes a message whose turn has come: call it in the queue of its sender. When one message is not taken, those behind it
 * are not begun either. Taken before it, they would be out of order, and their numbers could push its own out of the
 * window (P 5.2), so that it is lost when it comes again.
 *
 * Rejects as `take` does, or with `LineOver`.
 *
 * @example
 * link.onMessage = (arrival) => lanes.run(sender(arrival), () => takeInOrder(arrival, () => commit(arrival)));
 */
export async function takeInOrder({ line }: MqttArrival, take: () => Promise<void>): Promise<void> {
  if (line.isOver) throw new LineOver('the connection that brought the message is over');
  try {
    await take();
  } catch (fault) {
    // Here, and not where the rejection arrives: the next turn of the queue begins before that.
    line.drop(whyNotTaken(fault));
    throw fault;
  }
}

/** Why a connection is dropped after a message that was not taken. */
export function whyNotTaken(fault: unknown): string {
  return `a message could not be taken: ${connectionReason(fault)}`;
}

export interface ArrivalPorts {
  /** The most messages in hand. One counts until it is acknowledged, so a slow one keeps the rest from running ahead. */
  readonly most: number;
  /** Gets packet ids in the order of arrival, as many as are ready at once. */
  readonly acknowledge: (ids: readonly number[]) => void;
}

export interface Arrivals {
  /**
   * Begins to take a message, at once or when there is room. `id`: packet id; undefined wants no acknowledgement. `next`
   * is called when the next message can come. A message that is not taken is never acknowledged, nor is any later one.
   */
  receive(id: number | undefined, take: () => Promise<void>, next: () => void): void;
  /** The connection is over: nothing more is acknowledged or begun. */
  end(): void;
}

interface InHand {
  readonly id: number | undefined;
  isTaken: boolean;
}

/** Keeps the messages of one connection in order (MQTT 4.6.0). */
export function createArrivals({ most, acknowledge }: ArrivalPorts): Arrivals {
  const inHand: InHand[] = [];
  let held: (() => void) | undefined;
  let isSettling = false;
  let isOver = false;

  function begin(id: number | undefined, take: () => Promise<void>): void {
    const one: InHand = { id, isTaken: false };
    inHand.push(one);
    take().then(
      () => {
        one.isTaken = true;
        if (one !== inHand[0] || isSettling) return;
        isSettling = true;
        // One commit lets many end: the tick comes when all of them have.
        process.nextTick(settle);
      },
      () => undefined, // stays in front for ever
    );
  }

  function settle(): void {
    isSettling = false;
    if (isOver) return;
    const ids: number[] = [];
    for (let [first] = inHand; first?.isTaken === true; [first] = inHand) {
      inHand.shift();
      if (first.id !== undefined) ids.push(first.id);
    }
    if (ids.length > 0) acknowledge(ids);
    goOn();
  }

  function goOn(): void {
    const waiting = held;
    held = undefined;
    waiting?.();
  }

  return {
    receive: (id, take, next) => {
      held = () => {
        if (!isOver) begin(id, take);
        next();
      };
      if (isOver || inHand.length < most) goOn();
    },
    end: () => {
      isOver = true;
      inHand.length = 0;
      goOn(); // a good-bye is read behind what nobody takes any more
    },
  };
}

const PUBACK = 0x40;

/** PUBACK packets of MQTT 3.1.1 for these packet ids. */
export function pubacks(ids: readonly number[]): Uint8Array {
  return Uint8Array.from(ids.flatMap((id) => [PUBACK, 2, id >> 8, id & 0xff]));
}
