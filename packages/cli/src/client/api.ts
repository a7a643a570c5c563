import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { UserError } from '../user-error.ts';
import { CTL_EXIT, Failure, refused } from '../failure.ts';
import type { Login } from './profile.ts';
import { failureOf, openTransport, type Ask } from './transport.ts';

/** The values of a query; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Api {
  readonly url: string;
  get<Answer>(path: string, query?: Query): Promise<Answer>;
  /** The answer, or undefined when the server answers "not found". */
  find<Answer>(path: string): Promise<Answer | undefined>;
  send<Answer>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<Answer>;
  /** All rows, fetched page by page as they are consumed. */
  rows<Row>(path: string, query?: Query): AsyncGenerator<Row, void>;
  /** The first `limit` rows; all by default. */
  list<Row>(path: string, query?: Query, limit?: number): Promise<Row[]>;
  put<Answer>(path: string, query: Query, content: Readable, bytes: number): Promise<Answer>;
  /** A stream that stays open (server-sent events); resolves when it has begun. */
  stream(path: string, query: Query, signal: AbortSignal): Promise<IncomingMessage>;
  close(): void;
}

interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next?: string;
}

const BASE = '/api/v1';
const PAGE_ROWS = 500;
/** The longest answer in bytes; a page of messages is the largest. */
const ANSWER_BYTES = 200 << 20;
/** Tries of a request. The server limits requests, so a command for a large fleet can have to wait a minute. */
const TRIES = 4;
const WAIT_MS = { least: 1_000, most: 60_000 };

/**
 * Opens the HTTP API of one server. Every method rejects with a `UserError` or a `Failure` for the person.
 *
 * @example
 * const api = openApi(await loadLogin('default'));
 * const devices = await api.list<DeviceView>('/devices', { type: 'camera' });
 * api.close();
 */
export function openApi(login: Partial<Login> & Pick<Login, 'url'>): Api {
  const transport = openTransport(login);

  async function askOnce(ask: Ask): Promise<IncomingMessage> {
    const answer = await transport.ask(ask);
    if (isSuccess(answer)) return answer;
    throw new Refusal(answer.statusCode ?? 0, await textOf(answer, login.url), answer.headers['retry-after']);
  }

  async function ask(request: Ask): Promise<IncomingMessage> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await askOnce(request);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        // A body that was streamed can't be sent again.
        const mayRepeat = error.status === 429 && attempt < TRIES && typeof request.body !== 'object';
        if (!mayRepeat) throw error.toFailure(login);
        await new Promise((resolve) => setTimeout(resolve, error.waitMs));
      }
    }
  }

  async function read<Answer>(request: Ask): Promise<Answer> {
    const body = await textOf(await ask(request), login.url);
    return (body === '' ? undefined : parseJson(body, login.url)) as Answer;
  }

  const api: Api = {
    url: login.url,
    get: (path, query = {}) => read({ method: 'GET', path: pathOf(path, query) }),
    find: async (path) => {
      try {
        return await read({ method: 'GET', path: pathOf(path, {}) });
      } catch (error) {
        if (error instanceof NotFound) return undefined;
        throw error;
      }
    },
    send: (method, path, body) =>
      read({
        method,
        path: pathOf(path, {}),
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
    rows: async function* <Row>(path: string, query: Query = {}) {
      let cursor: string | undefined;
      do {
        const page: Page<Row> = await api.get(path, { limit: PAGE_ROWS, ...query, cursor });
        yield* page.rows;
        cursor = page.next;
      } while (cursor !== undefined);
    },
    list: async <Row>(path: string, query: Query = {}, limit = Infinity) => {
      const list: Row[] = [];
      for await (const row of api.rows<Row>(path, { ...query, limit: Math.min(limit, PAGE_ROWS) })) {
        list.push(row);
        if (list.length >= limit) break;
      }
      return list;
    },
    put: (path, query, content, bytes) =>
      read({
        method: 'PUT',
        path: pathOf(path, query),
        headers: { 'content-type': 'application/octet-stream', 'content-length': bytes },
        body: content,
      }),
    stream: (path, query, signal) =>
      ask({ method: 'GET', path: pathOf(path, query), headers: { accept: 'text/event-stream' }, signal }),
    close: () => {
      transport.close();
    },
  };
  return api;
}

/** Escapes a text as one segment of a path. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

/** The server does not know the thing, most often because of a wrong name. */
class NotFound extends UserError {}

/** An answer that reports a failure, before it is clear what that means to the command. */
class Refusal extends Error {
  readonly status: number;
  readonly waitMs: number;

  constructor(status: number, body: string, retryAfter: string | undefined) {
    super(messageIn(body) ?? `the server answered with the status ${status}`);
    this.status = status;
    const asked = Number(retryAfter ?? 0) * 1_000;
    this.waitMs = Math.min(WAIT_MS.most, Math.max(WAIT_MS.least, asked));
  }

  toFailure({ url, token }: Partial<Login> & Pick<Login, 'url'>): Error {
    const { status, message } = this;
    if (status === 404)
      return new NotFound(
        message,
        'List what exists: srup ctl devices, artifacts, exchanges, codes or tokens',
      );
    if (status === 401 && token !== undefined) {
      return refused(
        `${url} does not know this API token: it was revoked, it has expired, or the server was set up again`,
        'Log in again: srup ctl login --url URL --token TOKEN. An admin can make a token: srup ctl tokens create NAME --role operator',
      );
    }
    if (status === 403)
      return refused(
        message,
        'An admin can make a token with this role: srup ctl tokens create NAME --role ROLE',
      );
    if (status === 429)
      return refused('the server gets too many requests from this address', 'Try again in a minute.');
    if (status >= 500 && status !== 507)
      return refused(`the server failed: ${message}`, 'See the log of the server.');
    if (status === 400 || status === 422)
      return new UserError(message, 'Run the command with --help to see what it takes.');
    return new Failure(CTL_EXIT.refused, message, 'Nothing was changed.');
  }
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

function pathOf(path: string, query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return `${BASE}${path}${search.size === 0 ? '' : `?${search.toString()}`}`;
}

async function textOf(answer: IncomingMessage, url: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES) throw new Error('its answer is too long');
      chunks.push(chunk);
    }
  } catch (error) {
    throw failureOf(error as NodeJS.ErrnoException, url);
  }
  return Buffer.concat(chunks).toString();
}

function parseJson(body: string, url: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw refused(
      `${url} answers, but not as an SRUP server`,
      'Check host and port: "srup up" prints the URL.',
    );
  }
}

function messageIn(body: string): string | undefined {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
