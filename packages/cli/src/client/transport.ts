import { Agent, request, type RequestOptions } from 'node:https';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { connectionReason } from '@srup/node/reason';
import { refused, unreachable } from '../failure.ts';
import type { Login } from './profile.ts';

/** A server that sends nothing for this long is considered away; it sends a heartbeat every 20 s on quiet streams. */
const SILENCE_MS = 60_000;
const SOCKETS = 8;

export interface Ask {
  readonly method: string;
  /** The path from the root, with its query. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Readable;
  readonly signal?: AbortSignal | undefined;
}

export interface Transport {
  /** Resolves when the head of the answer has arrived. Rejects with a `Failure` that says what to do. */
  ask(ask: Ask): Promise<IncomingMessage>;
  close(): void;
}

/** Opens HTTPS to one server. Its certificate must come from the pinned CA and name the host. */
export function openTransport({ url, token, ca }: Partial<Login> & Pick<Login, 'url'>): Transport {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: SOCKETS,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
  });
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` };

  function ask({ method, path, headers, body, signal }: Ask): Promise<IncomingMessage> {
    const options: RequestOptions = {
      agent,
      method,
      headers: { accept: 'application/json', ...authorization, ...headers },
      timeout: SILENCE_MS,
      ...(signal === undefined ? {} : { signal }),
    };
    return new Promise((resolve, reject) => {
      let answered = false;
      const fail = (error: Error) => {
        if (!answered) reject(signal?.aborted === true ? error : failureOf(error, url));
      };
      const outgoing = request(new URL(path, url), options, (answer) => {
        answered = true;
        resolve(answer);
      });
      outgoing.on('timeout', () =>
        outgoing.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
      );
      outgoing.on('error', fail);
      if (body === undefined || typeof body === 'string') outgoing.end(body);
      // A server that refuses early stops reading. Its answer counts, not the broken pipe.
      else pipeline(body, outgoing).catch(fail);
    });
  }

  return {
    ask,
    close: () => {
      agent.destroy();
    },
  };
}

const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'no program listens there',
  ENOTFOUND: 'the name is unknown',
  EAI_AGAIN: 'the name could not be looked up',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no route to the host',
  ENETUNREACH: 'there is no route to the network',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: one of the two clocks is wrong',
};

/** Why a connection failed; the system's own message if there are no words for it. */
export function whyUnreached(error: unknown): string {
  const inner = (error instanceof AggregateError ? error.errors[0] : error) as NodeJS.ErrnoException;
  return WORDS[inner.code ?? ''] ?? connectionReason(inner);
}

/** What a broken connection means to the person, as a `Failure`. */
export function failureOf(error: NodeJS.ErrnoException, url: string): Error {
  const inner = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException) : error;
  const code = inner.code ?? '';
  if (inner.syscall === 'read' && code === 'EISDIR')
    return refused("a folder can't be uploaded", 'Pack it as a tar file first.');
  if (UNTRUSTED.has(code)) {
    return unreachable(
      `${url} shows a certificate that is not from the CA you trust: it is another server, it was set up again, or somebody intercepts the connection`,
      'Compare with the fingerprint that "srup up" prints, then log in again: srup ctl login --url URL --ca-fingerprint HEX --token TOKEN',
    );
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return unreachable(
      `the certificate of ${url} is not for this host name`,
      'Use a name that is in it, or start the server with it: srup up --host NAME',
    );
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('HPE_')) {
    return unreachable(
      `${url} does not speak HTTPS (${whyUnreached(inner)})`,
      'Check the port: by default 8443 is HTTPS and 8883 is MQTT.',
    );
  }
  return unreachable(
    `${url} can't be reached: ${whyUnreached(inner)}`,
    'Check that the server runs ("srup up"), and that host and port are right ("srup ctl login" sets them).',
  );
}
