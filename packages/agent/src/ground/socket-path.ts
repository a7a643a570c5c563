import { AgentError } from './trouble.ts';

/** Longest path of a Unix socket, in bytes. */
const MAX_PATH_BYTES = 107;

/** Throws `AgentError` for a path that the system would cut off. */
export function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return;
  throw new AgentError(
    `the path of the socket is too long: ${path}`,
    `Choose a shorter one: a socket's path has at most ${MAX_PATH_BYTES} bytes.`,
  );
}
