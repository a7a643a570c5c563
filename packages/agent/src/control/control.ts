/** The socket in the agent's own folder, by which `srup agent status` and the like speak with a running agent. */
import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { checkSocketPath } from '../ground/socket-path.ts';
import { AgentError, codeOf, reasonOf } from '../ground/trouble.ts';

export const ASKABLE = ['status', 'join', 'resign', 'deregister'] as const;
/** What can be asked of a running agent. */
export type Ask = (typeof ASKABLE)[number];

type Reply =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string };

const MAX_ASK_BYTES = 1000;
const MAX_REPLY_BYTES = 2 ** 20;
const TIMEOUT_MS = 10_000;

export interface Control {
  close(): Promise<void>;
}

/**
 * Answers questions at the socket, one for each connection. The question is one line: a word, and after `join` an
 * enrolment code if there is one. The answer is one line of JSON. Only the owner can open the socket: the folder is
 * closed to others. `AgentError` for a path that is too long.
 */
export async function serveControl(
  path: string,
  answer: (ask: Ask, code: string | undefined) => Promise<unknown>,
): Promise<Control> {
  checkSocketPath(path);
  await rm(path, { force: true }); // left by an agent that was killed: we hold the lock of the folder
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    readLine(socket, MAX_ASK_BYTES)
      .then(async (line): Promise<Reply> => {
        const [word, code] = line.split(' ', 2);
        const ask = ASKABLE.find((known) => known === word);
        if (ask === undefined) return { ok: false, message: 'this agent does not know that question' };
        return { ok: true, value: await answer(ask, code) };
      })
      .catch((error: unknown): Reply => ({ ok: false, message: reasonOf(error) }))
      .then((reply) => socket.end(`${JSON.stringify(reply)}\n`))
      .catch(() => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  server.unref();
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/**
 * Asks the agent at this socket. `code`: an enrolment code, with `join` only. Undefined when no agent runs there.
 * `AgentError` when the agent refuses.
 *
 * @example
 * const answer = await askAgent(homeAt('./device').socket, 'status');
 * console.log(answer === undefined ? 'no agent runs' : answer.value);
 */
export async function askAgent(
  path: string,
  ask: Ask,
  code?: string,
): Promise<{ value: unknown } | undefined> {
  checkSocketPath(path);
  let line: string;
  try {
    const socket = connect(path);
    socket.write(code === undefined ? `${ask}\n` : `${ask} ${code}\n`);
    line = await readLine(socket, MAX_REPLY_BYTES);
    socket.destroy();
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ECONNREFUSED') return undefined;
    throw new AgentError(`the agent does not answer: ${reasonOf(error)}`, undefined, error);
  }
  const reply = JSON.parse(line) as Reply;
  if (!reply.ok) throw new AgentError(reply.message);
  return { value: reply.value };
}

function readLine(socket: Socket, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')));
    socket.once('error', reject);
    socket.once('close', () => {
      reject(new Error('the connection ended early'));
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end !== -1) resolve(text.slice(0, end));
      else if (text.length > maxBytes) socket.destroy(new Error('too long'));
    });
  });
}
