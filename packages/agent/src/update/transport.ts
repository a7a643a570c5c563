import { getCACertificates, type TLSSocket } from 'node:tls';
import { judgeUndated, undatedBy, type Undated } from '@srup/node';
import type { Clock } from '@srup/protocol';
import type { Agent, buildConnector, Dispatcher } from 'undici';
import { createInflow } from './inflow.ts';

export interface Answer {
  readonly status: number;
  header(name: string): string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** Drops what is left of the body, and the connection with it. */
  discard(): void;
}

/** One GET without redirects; rejects when there is no answer. */
export interface Transport {
  get(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}

/** Whom to believe, by host name. */
export interface Trust {
  /** PEM of the CA pinned at enrolment. */
  readonly ca: string;
  /** The host that the pinned CA, and no other, speaks for: that of the key service. */
  readonly pinnedHost: string;
  /** `auto`: the pinned CA for its host, the system's for others. `pinned`: only the pinned one. `system`: only those. */
  readonly mode: 'auto' | 'pinned' | 'system';
}

const CONNECT_TIMEOUT_MS = 15_000;
/** An answer's header fields; more is an attack. */
const MAX_HEADER_BYTES = 16_384;

/** undici is loaded at the first download: a device that only waits shouldn't hold it in memory. */
export function openTransport(trust: Trust, clock: Clock): Transport {
  const agents = new Map<'pinned' | 'system', Agent>();

  async function agentFor(url: URL): Promise<Agent> {
    const isPinned = trust.mode === 'pinned' || (trust.mode === 'auto' && url.hostname === trust.pinnedHost);
    const kind = isPinned ? 'pinned' : 'system';
    const known = agents.get(kind);
    if (known !== undefined) return known;
    const { Agent, buildConnector } = await import('undici');
    const ca = isPinned ? [trust.ca] : [...getCACertificates('default'), ...getCACertificates('system')];
    const undated = isPinned ? undatedBy(clock, trust.ca) : undefined;
    const agent = new Agent({
      allowH2: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      connect:
        undated === undefined ? { ca, timeout: CONNECT_TIMEOUT_MS } : connectorFor(buildConnector, undated),
      // The rate meter watches the whole exchange, waiting for the first byte included.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    agents.set(kind, agent);
    return agent;
  }

  return {
    async get(url, headers, signal) {
      const agent = await agentFor(url);
      signal.throwIfAborted();
      return ask(agent, url, headers, signal);
    },
    async close() {
      const open = [...agents.values()];
      agents.clear();
      await Promise.all(open.map((agent) => agent.destroy()));
    },
  };
}

/** As undici connects, but that the verdict on the server is ours. */
function connectorFor(
  build: (options: buildConnector.BuildOptions) => buildConnector.connector,
  undated: Undated,
): buildConnector.connector {
  const ca = [undated.ca];
  // A resumed session would show no certificate.
  const connect = build({
    ca,
    allowH2: false,
    timeout: CONNECT_TIMEOUT_MS,
    rejectUnauthorized: false,
    maxCachedSessions: 0,
  });
  return (options, callback) => {
    connect(options, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      const host = options.hostname.replace(/^\[|\]$/g, '');
      const fault =
        options.protocol === 'https:' ? judgeUndated(socket as TLSSocket, host, undated) : undefined;
      if (fault === undefined) {
        callback(null, socket);
        return;
      }
      socket.destroy();
      callback(fault, null);
    });
  };
}

function ask(
  agent: Agent,
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    const inflow = createInflow(
      () => controller?.pause(),
      () => controller?.resume(),
    );
    const fail = (error: Error) => {
      signal.removeEventListener('abort', abort);
      inflow.end(error);
      reject(error);
    };
    const abort = () => {
      const reason = signal.reason as Error;
      controller?.abort(reason);
      // While it still connects, there is no controller: the transport's `close` ends that.
      fail(reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    agent.dispatch(
      { origin: url.origin, path: url.pathname + url.search, method: 'GET', headers },
      {
        onRequestStart(started) {
          controller = started;
          if (signal.aborted) started.abort(signal.reason as Error);
        },
        onResponseStart(started, status, fields) {
          if (status < 200) return;
          const discard = () => {
            signal.removeEventListener('abort', abort);
            started.abort(new Error('not wanted'));
          };
          resolve({ status, header: (name) => firstOf(fields[name]), body: inflow, discard });
        },
        onResponseData(_, chunk) {
          inflow.push(chunk);
        },
        onResponseEnd() {
          signal.removeEventListener('abort', abort);
          inflow.end();
        },
        onResponseError(_, error) {
          fail(error);
        },
      },
    );
  });
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
