/**
 * Lets connections into their TLS handshakes a few at a time. A handshake takes a millisecond of the processor and 100
 * KiB; a connection that waits takes next to nothing. When a whole fleet connects at once, those in front are served
 * soon, where otherwise all would be slow together and give up together.
 */
import type { Socket } from 'node:net';
import type { Server } from 'node:tls';
import { realDelay, type Delay } from '@srup/node';
import { awaitHello } from './hello.ts';

/** Handshakes at once. Fewer would leave the processor idle where lines are slow. */
const MOST = 64;
/** When no handshake ends for so long, in milliseconds, those under way keep nobody waiting any more. */
const STALL_MS = 250;

export interface TurnstileOptions {
  readonly most?: number;
  readonly delay?: Delay;
}

/**
 * Puts a turnstile before the handshakes of a server. Call it before anything else listens for its connections. A client that says nothing, or
 * leaves while it waits, is told as `tlsClientError`, like one whose handshake fails.
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
  const neverBegun = new WeakSet<Socket>();
  let places = most;
  let callOff: () => void = () => undefined;

  function letIn(): void {
    callOff();
    for (const begin of waiting) {
      if (places === 0) break;
      places--;
      waiting.delete(begin);
      begin();
    }
    if (waiting.size > 0) callOff = delay(STALL_MS, forgetThoseInside);
  }

  /** Whoever leaves handshakes half done, on purpose or on a bad line, would keep everybody out. */
  function forgetThoseInside(): void {
    places = most;
    letIn();
  }

  function onEnd(): void {
    places = Math.min(most, places + 1);
    letIn();
  }

  const handshakes = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const begin = () => {
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
        neverBegun.add(socket);
        server.emit('tlsClientError', reason, socket);
      },
    });
  });
  server.on('secureConnection', onEnd);
  server.on('tlsClientError', (_error, socket: Socket) => {
    if (!neverBegun.has(socket)) onEnd();
  });
}
