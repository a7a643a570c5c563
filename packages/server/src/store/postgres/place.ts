/** Where a PostgreSQL database is, and how to get in. */
import type { Secret } from '@srup/node';
import { StoreError } from '../fault.ts';

const DEFAULT_PORT = 5432;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/;

export interface PostgresPlace {
  /** A name or an address; for a socket the folder that it is in, which begins with `/`. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password?: Secret | undefined;
  /** `loopback`: no TLS is needed, because nothing leaves this machine. `plain`: TLS was turned off. */
  readonly transport: 'tls' | 'loopback' | 'plain';
  /** PEM of the CAs that are trusted for TLS; by default those that Node.js trusts. */
  readonly ca?: string | undefined;
}

/** A database of PostgreSQL, and the schema in it that holds the tables. */
export interface PostgresStorePlace extends PostgresPlace {
  readonly schema: string;
}

/** How to get in, beside the URL. */
export interface PostgresAccess {
  readonly password?: Secret | undefined;
  readonly ca?: string | undefined;
  /** True: no TLS, wherever the database is. */
  readonly insecurePlain?: boolean | undefined;
}

/**
 * Reads the URL of a database: `postgres://USER@HOST:PORT/DATABASE`, or `postgres:///DATABASE?host=/FOLDER&user=USER`
 * for a socket. Throws `StoreError` for one that can't be used. A password in it is refused: whoever lists the processes
 * of the machine would see it.
 *
 * @example
 * parsePostgresUrl('postgres://srup@db.example/srup', { password });
 */
export function parsePostgresUrl(
  text: string,
  { password, ca, insecurePlain }: PostgresAccess = {},
): PostgresPlace {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new StoreError(
      `${shown(text)} is not the URL of a database. Write it as postgres://USER@HOST:PORT/DATABASE.`,
    );
  }
  if (url.password !== '') {
    throw new StoreError(
      'The URL of the database holds a password, which everybody on this machine can see in the list of processes. ' +
        'Take it out, change it, and give it in a file (--database-password-file) or in SRUP_DATABASE_PASSWORD.',
    );
  }
  const unknown = [...url.searchParams.keys()].find((name) => name !== 'host' && name !== 'user');
  if (unknown !== undefined) {
    throw new StoreError(
      `The URL of the database has the parameter "${unknown}". Only "host" and "user" can stand there; TLS is on by default.`,
    );
  }
  const host = url.searchParams.get('host') ?? readable(url.hostname.replace(/^\[|\]$/g, ''));
  const user = readable(url.username) || (url.searchParams.get('user') ?? '');
  const database = readable(url.pathname.slice(1));
  for (const [name, value] of Object.entries({ host, user, database })) {
    if (value !== '') continue;
    throw new StoreError(
      `The URL of the database names no ${name}. Write it as postgres://USER@HOST:PORT/DATABASE, or postgres:///DATABASE?host=/FOLDER&user=USER for a socket.`,
    );
  }
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  const transport = transportTo(host, ca, insecurePlain);
  return { host, port, database, user, password, transport, ca };
}

/** Whoever names a CA wants TLS, wherever the database is: a tunnel of others may begin on this machine. */
function transportTo(
  host: string,
  ca: string | undefined,
  insecurePlain: boolean | undefined,
): PostgresPlace['transport'] {
  if (host.startsWith('/')) return 'loopback';
  if (insecurePlain === true) return LOOPBACK.test(host) ? 'loopback' : 'plain';
  return LOOPBACK.test(host) && ca === undefined ? 'loopback' : 'tls';
}

/** The place as a URL without secrets; it can be read again. */
export function urlOf({ host, port, database, user }: PostgresPlace): string {
  const end = port === DEFAULT_PORT ? '' : `:${port}`;
  const name = encodeURIComponent(database);
  const who = encodeURIComponent(user);
  if (host.startsWith('/'))
    return `postgres://localhost${end}/${name}?host=${encodeURIComponent(host)}&user=${who}`;
  return `postgres://${who}@${host.includes(':') ? `[${host}]` : host}${end}/${name}`;
}

function readable(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new StoreError(
      `"${part}" in the URL of the database can't be read. Write a letter like @ or % as %40 or %25.`,
    );
  }
}

function shown(text: string): string {
  return text.includes('@') ? `...@${text.slice(text.lastIndexOf('@') + 1)}` : text;
}
