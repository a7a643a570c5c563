/** Lines from and to programs that the agent has not started itself. */
import type { Log } from '@srup/node';
import { chmod, lstat, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { checkSocketPath } from '../ground/socket-path.ts';
import { AgentError, reasonOf } from '../ground/trouble.ts';

export interface LineSocket {
  /** Writes to every program that is connected and reads; false when there is none. */
  write(text: string): boolean;
  close(): Promise<void>;
}

/** Takes what a connected program writes. */
export type Listen = () => (chunk: Uint8Array) => void;

const MAX_PROGRAMS = 32;
/** Most bytes that wait for a program that does not read. */
const MAX_WAITING_BYTES = 256 * 1024;
/** For owner and group: the folder decides who can open it. */
const MODE = 0o660;

/** Listens on a Unix socket. `AgentError` when it can't. */
export async function openLineSocket(path: string, listen: Listen, log: Log): Promise<LineSocket> {
  checkSocketPath(path);
  await removeStale(path);
  const programs = new Set<Socket>();
  const server = createServer((program) => {
    programs.add(program);
    program.once('close', () => programs.delete(program));
    program.on('error', () => undefined); // 'close' follows, and that is enough
    program.on('data', listen());
  });
  server.maxConnections = MAX_PROGRAMS;
  server.on('drop', () => {
    log.warn({ most: MAX_PROGRAMS }, 'a program was turned away from the socket: too many are connected');
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    await chmod(path, MODE);
    server.unref(); // an agent that could not start must end
  } catch (error) {
    server.close();
    throw new AgentError(
      `the socket for programs can't be opened: ${reasonOf(error)}`,
      'Make its folder, and let the agent write there; or change data.socket.',
      error,
    );
  }
  return {
    write(text) {
      const reading = [...programs].filter(
        ({ writable, writableLength }) => writable && writableLength <= MAX_WAITING_BYTES,
      );
      for (const program of reading) program.write(text);
      return reading.length > 0;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const program of programs) program.destroy();
      }),
  };
}

/** Removes the socket of an agent that was killed. Anything else of that name belongs to somebody, and stays. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new AgentError(
      `${path} is there already, and is not a socket`,
      'Remove it, or change data.socket.',
    );
  }
  await rm(path, { force: true });
}
