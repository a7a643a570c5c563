import type { Agent, RequestOptions } from 'node:https';
import * as v from 'valibot';
import { https } from '@srup/node';
import type { Clock } from '@srup/protocol';
import { connecting } from '../ground/connecting.ts';
import { explainConnection } from './passing-trouble.ts';

/** Longest answer, in bytes. The largest honest one holds two certificates. */
const MAX_ANSWER_BYTES = 64 * 1024;
const TIMEOUT_MS = 20_000;

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** The service's own words about a refusal. */
  readonly said: string;
  readonly retryAfterMs?: number;
}

/**
 * The key service over HTTPS (P 8): JSON both ways, no redirects. Calls that follow one another share a connection,
 * because the handshake costs a busy service more than the call. It ends when this is disposed of.
 */
export interface KeyService extends Disposable {
  readonly url: string;
  call(method: 'GET' | 'POST', path: string, body?: object): Promise<Answer>;
}

/**
 * Gives the key service at this URL. `ca`: PEM of the CA to trust, whatever the clock says; absent: what the system
 * trusts.
 *
 * @example
 * using service = keyServiceAt('https://keys.example', ca, systemClock, signal);
 * const { status } = await service.call('GET', '/register/status');
 */
export function keyServiceAt(
  url: string,
  ca: string | undefined,
  clock: Clock,
  signal: AbortSignal,
): KeyService {
  let connection: ReturnType<typeof keepingAlive> | undefined;
  return {
    url,
    call: async (method, path, body) => {
      connection ??= keepingAlive(connecting(new URL(url), ca, clock));
      const options: RequestOptions = {
        method,
        ...connection,
        signal,
        ...(body && { headers: { 'content-type': 'application/json' } }),
      };
      try {
        return await exchange(`${url.replace(/\/+$/, '')}/KeyEx${path}`, options, body);
      } catch (error) {
        signal.throwIfAborted();
        throw explainConnection(error, url, clock.now());
      }
    },
    [Symbol.dispose]: () => connection?.agent.destroy(),
  };
}

/** Gives options that connect as these do, and keep the connection for the next request. */
function keepingAlive({ createConnection, ...options }: RequestOptions): RequestOptions & { agent: Agent } {
  const agent = new (https().Agent)({ keepAlive: true });
  if (createConnection !== undefined) agent.createConnection = createConnection;
  return { ...options, agent };
}

function exchange(url: string, options: RequestOptions, body: object | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = https().request(url, options, (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES)
          incoming.destroy(new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`));
      });
      incoming.once('error', reject);
      incoming.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        const value = parse(text);
        const wait = Number(incoming.headers['retry-after']);
        resolve({
          status: incoming.statusCode ?? 0,
          body: value,
          said: wordsOf(value ?? { message: text }),
          ...(Number.isFinite(wait) && wait >= 0 && { retryAfterMs: wait * 1000 }),
        });
      });
    });
    outgoing.setTimeout(TIMEOUT_MS, () =>
      outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)),
    );
    outgoing.once('error', reject);
    outgoing.end(body && JSON.stringify(body));
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const errorBody = v.union([
  v.pipe(
    v.object({ error: v.object({ message: v.string() }) }),
    v.transform(({ error }) => error.message),
  ),
  v.pipe(
    v.object({ message: v.string() }),
    v.transform(({ message }) => message),
  ),
  v.pipe(
    v.object({ error: v.string() }),
    v.transform(({ error }) => error),
  ),
]);
/** Most characters of a stranger's text that are shown. */
const MAX_WORDS = 300;

function wordsOf(body: unknown): string {
  const words = v.safeParse(errorBody, body);
  return words.success && !words.output.startsWith('<')
    ? words.output.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, MAX_WORDS)
    : '';
}
