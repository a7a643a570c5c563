import type { Log } from '@srup/node';
import {
  compose,
  nextSequence,
  tokenKey,
  topicFromDevice,
  type DeviceEffect,
  type Identity,
  type SignKey,
} from '@srup/protocol';
import { countersOf, type OutboxEntry, type PeerRecord } from './records.ts';

export interface ScribeOptions {
  readonly self: Identity;
  readonly server: Identity;
  readonly signKey: SignKey;
  readonly log: Log;
}

export interface Written {
  /** With the numbers that were used. */
  readonly peer: PeerRecord;
  readonly outgoing: readonly OutboxEntry[];
}

/** Makes messages of what a step says: numbered, sealed, signed. Nothing leaves before it is committed (P 5.1). */
export interface Scribe {
  /** `firstNumber`: place of the first of them in the outbox. */
  write(effects: readonly DeviceEffect[], peer: PeerRecord, firstNumber: number): Promise<Written>;
  /** Is a number left? The log says so when none is. */
  hasNumber(peer: PeerRecord): boolean;
}

export function createScribe({ self, server, signKey, log }: ScribeOptions): Scribe {
  /** Undefined when all are used up: what should be said stays unsaid, and nothing else stops (P 5.1). */
  function numberAfter(peer: PeerRecord): bigint | undefined {
    try {
      return nextSequence(countersOf(peer));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      log.error(
        {},
        'the sequence numbers of this device and its server are used up: deregister it, and register anew',
      );
      return undefined;
    }
  }

  return {
    hasNumber: (peer) => numberAfter(peer) !== undefined,
    write: async (effects, before, firstNumber) => {
      let peer = before;
      const outgoing: OutboxEntry[] = [];
      for (const effect of effects) {
        if (effect.do !== 'send') continue;
        const sequence = numberAfter(peer);
        if (sequence === undefined) continue;
        const { bytes } = await compose(effect.draft, sequence, self, { id: server }, signKey);
        peer = { ...peer, sent: sequence };
        const { type, token } = effect.draft;
        const topic = topicFromDevice(type, server, self);
        outgoing.push({ n: firstNumber + outgoing.length, topic, bytes, type, token: tokenKey(token) });
      }
      return { peer, outgoing };
    },
  };
}
