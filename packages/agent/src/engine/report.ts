import { isProgramDataId, MAX_MESSAGE_BYTES } from '@srup/protocol';
import { StoreError } from '../vault/store.ts';
import type { Outbox } from './outbox.ts';

/**
 * The program's word to the server (P 10.6). `kept`: committed, it will be sent. `full`: too much waits to be sent,
 * slow down; a full disk is the same. `unjoined`: the device has no server now, so the word is dropped. `refused`: an id
 * that begins with `srup.`, more bytes than a message holds, or no number is left to send it with.
 */
export type ProgramReport = (
  dataId: string,
  data: Uint8Array,
) => Promise<'kept' | 'full' | 'unjoined' | 'refused'>;

export interface ReportPorts {
  readonly inTurn: <Value>(task: () => Promise<Value>) => Promise<Value>;
  readonly isJoined: () => boolean;
  readonly outbox: Pick<Outbox, 'count' | 'bytes'>;
  /** Is there a number left to send it with (P 5.1)? */
  readonly hasNumber: () => boolean;
  readonly take: (dataId: string, data: Uint8Array) => Promise<void>;
}

/** Most reports that wait to be sent. Answers to the server are always taken. */
const MAX_WAITING = 1_000;
const MAX_WAITING_BYTES = 2 ** 20;
/** Bytes of a message beside data id and data: header, token, the longest signature. */
const MESSAGE_OVERHEAD = 4_000;
/** The longest UTF-8 form of one UTF-16 unit. */
const MAX_UNIT_BYTES = 3;

/** Takes the program's words within these bounds. */
export function createReport({ inTurn, isJoined, outbox, hasNumber, take }: ReportPorts): ProgramReport {
  function fits(dataId: string, data: Uint8Array): boolean {
    const bytes = dataId.length * MAX_UNIT_BYTES + data.length;
    return isProgramDataId(dataId) && bytes <= MAX_MESSAGE_BYTES - MESSAGE_OVERHEAD;
  }

  return async (dataId, data) => {
    if (!fits(dataId, data)) return 'refused';
    try {
      return await inTurn(async () => {
        if (!isJoined()) return 'unjoined';
        if (outbox.count() >= MAX_WAITING || outbox.bytes() + data.length > MAX_WAITING_BYTES) return 'full';
        if (!hasNumber()) return 'refused';
        await take(dataId, data);
        return 'kept';
      });
    } catch (error) {
      if (error instanceof StoreError) return 'full';
      throw error;
    }
  };
}
