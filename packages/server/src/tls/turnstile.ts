/**
 * Limits how many TLS handshakes run at the same time. A handshake takes a millisecond of the processor and 100 KiB; a
 * connection that waits for its turn takes almost nothing. When a whole fleet connects at once, the first ones are
 * served quickly. Without a limit all of them would be slow together, and give up together.
 */
import type { Socket } from 'node:net';
import type { Server } from 'node:tls';
import { realDelay, type Delay } from '@srup/node';
import { awaitHello } from './hello.ts';

/** Longest TLS handshake in milliseconds, from the moment that the connection is let in. */
export const HANDSHAKE_MS = 10_000;
/** Handshakes at the same time. A processor finishes so many in less than `STALL_MS`. */
const MOST = 128;
/** Milliseconds after which a handshake keeps nobody waiting: a slow client, or one that stalls on purpose, goes on beside others. */
const STALL_MS = 1_000;

export interface TurnstileOptions {
  readonly most?: number;
  readonly delay?: Delay;
}

/**
 * Puts a turnstile before the handshakes of a server. Call it before anything else listens for its connections. A client
 * that sends nothing, or leaves while it waits, is reported as `tlsClientError`, like one whose handshake fails.
 *
 * @example
 * const server = createServer({ key, cert });
 * addTurnstile(server);
 */
export function addTurnstile(
  server: Server,
  { most = MOST, delay = realDelay }: TurnstileOptions = {},
): void {
  const waiting = new Set<() => void>();
  /** How to give back the place of a connection. Its key is the client's address: a TLS socket does not name the socket below it. */
  const inside = new Map<string, () => void>();

  function letIn(): void {
    for (const begin of waiting) {
      if (inside.size >= most) return;
      waiting.delete(begin);
      begin();
    }
  }

  function takePlace(socket: Socket): void {
    const name = clientOf(socket);
    const leave = (): void => {
      callOff();
      socket.off('close', leave);
      inside.delete(name);
      letIn();
    };
    const callOff = delay(STALL_MS, leave);
    socket.once('close', leave);
    inside.set(name, leave);
  }

  const handshakes = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const begin = () => {
      takePlace(socket);
      handBack();
      for (const handshake of handshakes) handshake.call(server, socket);
    };
    const handBack = awaitHello(socket, delay, {
      onSaid: () => {
        waiting.add(begin);
        letIn();
      },
      onGone: (reason) => {
        waiting.delete(begin);
        server.emit('tlsClientError', reason, socket);
      },
    });
  });
  server.on('secureConnection', (socket) => inside.get(clientOf(socket))?.());
}

function clientOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
