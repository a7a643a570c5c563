import { once } from 'node:events';
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { text } from 'node:stream/consumers';

/** The HTTP API of a server that may be dead at any time. */
export interface Api {
  /** Asked again until there is an answer. */
  get<Answer>(path: string): Promise<Answer>;
  /** The rows of all pages. */
  rows<Row>(path: string): Promise<Row[]>;
  /** Sends once. Resolves to undefined when the server died and may have taken it or not. Throws when it refuses. */
  post<Answer>(path: string, body?: object): Promise<Answer | undefined>;
  put(path: string, body: Uint8Array | object): Promise<void>;
  close(): void;
}

interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next?: string;
}

const ROWS = 500;
const SILENCE_MS = 15_000;
const AGAIN_MS = 100;
/** A server that stays away longer is not coming back. */
const PATIENCE_MS = 600_000;
const TOO_MANY = 429;

export function openApi(url: string, ca: string, token: string): Api {
  const agent = new Agent({ ca, keepAlive: true, maxSockets: 4 });

  async function ask<Answer>(method: string, path: string, body?: Uint8Array | object): Promise<Answer> {
    const isRaw = body instanceof Uint8Array;
    const outgoing = request(new URL(`/api/v1${path}`, url), {
      agent,
      method,
      timeout: SILENCE_MS,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && {
          'content-type': isRaw ? 'application/octet-stream' : 'application/json',
        }),
      },
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.end(isRaw ? body : body && JSON.stringify(body));
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    const said = await text(answer);
    const { statusCode = 0 } = answer;
    if (statusCode >= 200 && statusCode < 300) return (said === '' ? undefined : JSON.parse(said)) as Answer;
    throw new Refusal(`${method} ${path}: ${statusCode} ${said}`, statusCode);
  }

  async function get<Answer>(path: string): Promise<Answer> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await ask<Answer>('GET', path);
      } catch (error) {
        const isPassing = !(error instanceof Refusal) || error.status === TOO_MANY || error.status >= 500;
        if (!isPassing || performance.now() > until) throw error;
        await pause(AGAIN_MS);
      }
    }
  }

  return {
    get,
    rows: async <Row>(path: string) => {
      const all: Row[] = [];
      const query = `${path}${path.includes('?') ? '&' : '?'}limit=${ROWS}`;
      let next: string | undefined = '';
      while (next !== undefined) {
        const page: Page<Row> = await get(
          next === '' ? query : `${query}&cursor=${encodeURIComponent(next)}`,
        );
        all.push(...page.rows);
        next = page.next;
      }
      return all;
    },
    post: async (path, body) => {
      try {
        return await ask('POST', path, body ?? {});
      } catch (error) {
        if (error instanceof Refusal && error.status !== TOO_MANY && error.status < 500) throw error;
        return undefined;
      }
    },
    put: (path, body) => ask('PUT', path, body),
    close: () => {
      agent.destroy();
    },
  };
}

class Refusal extends Error {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}
