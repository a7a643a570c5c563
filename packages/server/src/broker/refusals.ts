import type { Identity } from '@srup/protocol';
import type { Peer } from './peer.ts';
import type { RefusalCode, Verdict } from './rules.ts';

export interface BrokerRefusal {
  readonly code: RefusalCode;
  /** From the certificate; absent where there was none. */
  readonly identity?: Identity;
  /** For the log: one line, without the content of messages. */
  readonly detail: string;
}

/** Counts and reports every refusal; none is silent. */
export interface Refusals {
  readonly counts: Readonly<Partial<Record<RefusalCode, number>>>;
  /** Returns the error with which aedes ends the connection. */
  refuse(verdict: Verdict, peer?: Peer): Error;
  /** True for an error that `refuse` returned: it is reported already. */
  isReported(error: Error): boolean;
}

export function createRefusals(report: (refusal: BrokerRefusal) => void): Refusals {
  const counts: Partial<Record<RefusalCode, number>> = {};
  const reported = new WeakSet<Error>();
  return {
    counts,
    refuse: ({ code, detail }, peer) => {
      counts[code] = (counts[code] ?? 0) + 1;
      report({ code, detail, ...(peer !== undefined && { identity: peer.id }) });
      const error = new Error(code);
      reported.add(error);
      return error;
    },
    isReported: (error) => reported.has(error),
  };
}
