import type { Identity } from '@srup/protocol';
import type { Peer, RefusalCode, Verdict } from './rules.ts';

export interface BrokerRefusal {
  readonly code: RefusalCode;
  /** From the certificate; absent where there was none. */
  readonly identity?: Identity;
  /** For the log: one line, without the content of messages. */
  readonly detail: string;
}

/** Every refusal is counted and told; none is silent. */
export interface Refusals {
  readonly counts: Readonly<Partial<Record<RefusalCode, number>>>;
  /** The error is for aedes, which ends the connection with it. */
  refuse(verdict: Verdict, peer?: Peer): Error;
  /** Was this error told already? */
  isTold(error: Error): boolean;
}

export function createRefusals(tell: (refusal: BrokerRefusal) => void): Refusals {
  const counts: Partial<Record<RefusalCode, number>> = {};
  const told = new WeakSet<Error>();
  return {
    counts,
    refuse: ({ code, detail }, peer) => {
      counts[code] = (counts[code] ?? 0) + 1;
      tell({ code, detail, ...(peer !== undefined && { identity: peer.id }) });
      const error = new Error(code);
      told.add(error);
      return error;
    },
    isTold: (error) => told.has(error),
  };
}
