/**
 * One PostgreSQL for a whole run of Vitest, started when the first test asks for a database; a run that asks for none
 * pays nothing. Vitest's main process keeps it, as each process of tests ends before the run does.
 *
 * Whoever connects to the desk's socket, and says what should be in it, gets the URL of a new database as a line, and has it as long as the connection
 * stays. The database of a test that was killed goes away like that of one that has ended.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { migrateAt } from '../../packages/server/test/migrated.ts';
import { startPostgres, type Postgres } from './postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The Unix socket of the desk. */
    postgresDesk: string;
  }
}

/** `empty`, or `migrated`: with all tables of a server, empty; opening that takes a third of the time. */
export type Content = 'empty' | 'migrated';

/** The desk's answer: the URL of a database, or why there is none. */
export type DeskAnswer = { readonly url: string } | { readonly problem: string };

interface Made {
  readonly postgres: Postgres;
  readonly url: string;
}

/** For all tests of a run together, and for programs that they start. */
const MAX_CONNECTIONS = 300;

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Only this user may enter it: the answers hold a password.
  const folder = await mkdtemp(join(tmpdir(), 'srup-desk-'));
  let started: Promise<Postgres> | undefined;
  let template: Promise<string> | undefined;
  const make = async (content: Content): Promise<Made> => {
    started ??= startPostgres({ fsync: false, maxConnections: MAX_CONNECTIONS });
    const postgres = await started;
    if (content === 'empty') return { postgres, url: await postgres.createDatabase() };
    template ??= makeTemplate(postgres);
    return { postgres, url: await postgres.copyDatabase(await template) };
  };

  const open = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => undefined);
    void serve(socket, make);
  });
  const address = join(folder, 'desk');
  server.listen(address);
  await once(server, 'listening');
  // A run that was broken off must not wait for it.
  server.unref();
  project.provide('postgresDesk', address);

  return async () => {
    server.close();
    for (const socket of open) socket.destroy();
    const running = await started?.catch(() => undefined);
    await running?.clear();
    await rm(folder, { recursive: true, force: true });
  };
}

async function makeTemplate(postgres: Postgres): Promise<string> {
  const url = await postgres.createDatabase();
  await migrateAt(url);
  return url;
}

/** Ends its side of the connection when the database is gone. */
async function serve(socket: Socket, make: (content: Content) => Promise<Made>): Promise<void> {
  const left = once(socket, 'close').catch(() => undefined);
  const done = Promise.race([once(socket, 'end').catch(() => undefined), left]);
  const wish = await Promise.race([once(socket, 'data').catch(() => undefined), done]);
  const answer = (content: DeskAnswer): boolean => socket.write(`${JSON.stringify(content)}\n`);
  try {
    const { postgres, url } = await make(String(wish).trim() === 'migrated' ? 'migrated' : 'empty');
    answer({ url });
    await done;
    await postgres.dropDatabase(url);
  } catch (error) {
    answer({ problem: error instanceof Error ? error.message : String(error) });
  }
  socket.end();
}
