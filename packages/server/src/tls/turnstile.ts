/**
 * Lets connections into their TLS handshakes, so many at a time. A handshake takes a millisecond of the processor and 100
 * KiB; a connection that waits takes next to nothing. When a whole fleet connects at once, those in front are served
 * soon, where otherwise all would be slow together and give up together.
 */
import type { Socket } from 'node:net';
import type { Server } from 'node:tls';
import { realDelay, type Delay } from '@srup/node';
import { awaitHello } from './hello.ts';

/** Milliseconds from the client's first word to the end of the TLS handshake. */
export const HANDSHAKE_MS = 10_000;
/** Handshakes at once. A processor is through with them in less than `STALL_MS`. */
const MOST = 128;
/** How long a handshake keeps others waiting, in milliseconds. Whoever is slow, or stalls on purpose, goes on beside them. */
const STALL_MS = 1_000;

export interface TurnstileOptions {
  readonly most?: number;
  readonly delay?: Delay;
}

/**
 * Puts a turnstile before the handshakes of a server. Call it before anything else listens for its connections. A client
 * that says nothing, or leaves while it waits, is told as `tlsClientError`, like one whose handshake fails.
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
  /** Gives back the place of a connection, by its far end: the socket of TLS does not tell on which socket it is. */
  const inside = new Map<string, () => void>();

  function letIn(): void {
    for (const begin of waiting) {
      if (inside.size >= most) return;
      waiting.delete(begin);
      begin();
    }
  }

  function takePlace(socket: Socket): void {
    const name = farEnd(socket);
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
  server.on('secureConnection', (socket) => inside.get(farEnd(socket))?.());
}

function farEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
