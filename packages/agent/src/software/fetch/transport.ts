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

const CONNECT_TIMEOUT_MS = 15_000;
/** Longest header of an answer, in bytes. A longer one is an attack. */
const MAX_HEADER_BYTES = 16_384;

export function createTransport(trust: Trust, clock: Clock): Transport {
  return {
    async get(url, headers, signal) {
      signal.throwIfAborted();
      const common = { headers, signal, maxHeaderSize: MAX_HEADER_BYTES };
      if (url.protocol === 'http:') return ask(url, { ...common, agent: false });
      const isPinned =
        trust.mode === 'pinned' || (trust.mode === 'auto' && url.hostname === trust.pinnedHost);
      return ask(url, { ...common, ...connecting(url, isPinned ? trust.ca : undefined, clock) });
    },
  };
}

function ask(url: URL, options: RequestOptions): Promise<Answer> {
  const [request, connected] =
    url.protocol === 'http:' ? [http().request, 'connect'] : [https().request, 'secureConnect'];
  return new Promise((resolve, reject) => {
    const outgoing = request(url, options, (incoming) => {
      resolve(answerOf(incoming));
    });
    const late = setTimeout(() => {
      outgoing.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`));
    }, CONNECT_TIMEOUT_MS);
    outgoing.once('socket', (socket) => {
      socket.once(connected, () => {
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
