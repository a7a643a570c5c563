/** What tests of a whole server stand on: one that runs on free ports, with a client that trusts it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Agent } from 'undici';
import { test as base } from 'vitest';
import { placeFor, toldOf } from '../database.ts';
import type { RunningServer, ServerOptions } from '../../src/options.ts';
import { startServer } from '../../src/server.ts';

/** How tests start a server in a folder: on free ports, without a log. */
export function startIn(folder: string, options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  return startServer({ folder, httpsPort: 0, mqttsPort: 0, log: pino({ level: 'silent' }), ...options });
}

export interface Running {
  readonly server: RunningServer;
  /** For `undici`: it trusts the server's CA. */
  readonly client: Agent;
}

/**
 * `test` with a server that all tests of a file share.
 *
 * @example
 * test('it is alive', async ({ running: { server, client } }) => {
 *   await request(`${server.url}/healthz`, { dispatcher: client });
 * });
 */
export const test = base.extend('running', { scope: 'file' }, async ({}, { onCleanup }): Promise<Running> => {
  const folder = await mkdtemp(join(tmpdir(), 'srup-running-'));
  const removals: (() => Promise<void>)[] = [];
  const place = await placeFor(folder, (remove) => removals.push(remove));
  const server = await startIn(join(folder, 'server'), toldOf(place));
  const client = new Agent({ connect: { ca: server.caPem } });
  onCleanup(async () => {
    await client.close();
    await server.close();
    for (const remove of removals) await remove();
    await rm(folder, { recursive: true });
  });
  return { server, client };
});
