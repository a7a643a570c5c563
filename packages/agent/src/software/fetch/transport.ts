import type { IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import { finished } from 'node:stream';
import { http, https } from '@srup/node';
import type { Clock } from '@srup/protocol';
import { connecting } from '../../ground/connecting.ts';
import { createInflow } from './inflow.ts';

export interface Answer {
  readonly status: number;
  header(name: string): string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** Drops the rest of the body, and the connection with it. */
  discard(): void;
}

/** Sends one GET and follows no redirect. Rejects when there is no answer. */
export interface Transport {
  get(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer>;
}

/** Which CAs to trust, by host name. */
export interface Trust {
  /** PEM of the CA pinned at enrolment. */
  readonly ca: string;
  /** The host of the key service, for which only the pinned CA counts. */
  readonly pinnedHost: string;
  /** `auto`: the pinned CA for its host, the system's for others. `pinned`: only the pinned one. `system`: only those. */
  readonly mode: 'auto' | 'pinned' | 'system';
}

/** How long a server may take, in milliseconds. */
export interface Waits {
  readonly connectMs: number;
  /** From the connection to the end of the TLS handshake. */
  readonly handshakeMs: number;
}

// A server that a whole fleet asks at once lets in one after the other. A client that hangs up meanwhile loses its turn.
const WAITS: Waits = { connectMs: 15_000, handshakeMs: 60_000 };
/** Longest header of an answer, in bytes. A longer one is an attack. */
const MAX_HEADER_BYTES = 16_384;

export function createTransport(trust: Trust, clock: Clock, waits: Waits = WAITS): Transport {
  return {
    async get(url, headers, signal) {
      signal.throwIfAborted();
      const common = { headers, signal, maxHeaderSize: MAX_HEADER_BYTES };
      if (url.protocol === 'http:') return ask(url, { ...common, agent: false }, waits);
      const isPinned =
        trust.mode === 'pinned' || (trust.mode === 'auto' && url.hostname === trust.pinnedHost);
      return ask(url, { ...common, ...connecting(url, isPinned ? trust.ca : undefined, clock) }, waits);
    },
  };
}

function ask(url: URL, options: RequestOptions, { connectMs, handshakeMs }: Waits): Promise<Answer> {
  const isPlain = url.protocol === 'http:';
  const request = isPlain ? http().request : https().request;
  return new Promise((resolve, reject) => {
    const outgoing = request(url, options, (incoming) => {
      resolve(answerOf(incoming));
    });
    const giveUpAfter = (ms: number, what: string) =>
      setTimeout(() => {
        outgoing.destroy(new Error(`no ${what} within ${ms / 1000} s`));
      }, ms);
    let late = giveUpAfter(connectMs, 'connection');
    outgoing.once('socket', (socket) => {
      socket.once('connect', () => {
        clearTimeout(late);
        if (!isPlain) late = giveUpAfter(handshakeMs, 'TLS handshake');
      });
      socket.once('secureConnect', () => {
        clearTimeout(late);
      });
    });
    outgoing.on('error', reject);
    outgoing.once('close', () => {
      clearTimeout(late);
      // No error and no answer: the server wants another protocol.
      reject(new Error('the server did not answer'));
    });
    outgoing.end();
  });
}

function answerOf(incoming: IncomingMessage): Answer {
  const inflow = createInflow(
    () => incoming.pause(),
    () => incoming.resume(),
  );
  incoming.on('data', (chunk: Buffer) => {
    inflow.push(chunk);
  });
  finished(incoming, (error) => {
    inflow.end(error ?? undefined);
  });
  return {
    status: incoming.statusCode ?? 0,
    header: (name) => [incoming.headers[name]].flat()[0],
    body: inflow,
    discard: () => {
      incoming.destroy();
    },
  };
}
