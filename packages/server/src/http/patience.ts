/** How long a client may take. Who needs no token must not be able to hold connections for hours. */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { pathOf } from './errors.ts';
import { HEARTBEAT_MS } from './routes/events.ts';

export interface Patience {
  /** With a connection on which nothing moves, in either direction, in milliseconds. */
  readonly idleMs: number;
  /** Until the body of a request is there, however it trickles, in milliseconds. Uploads may take as long as they move. */
  readonly bodyMs: number;
}

export const PATIENCE: Patience = { idleMs: 6 * HEARTBEAT_MS, bodyMs: 60_000 };

const deadlines = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/** Also for a request that was answered already: Node.js would read the rest of its body for ever. */
export function limitBodies(app: FastifyInstance, bodyMs: number): void {
  app.addHook('onRequest', async (request) => {
    const { raw } = request;
    const deadline = setTimeout(() => {
      if (raw.complete) return;
      request.log.info({ path: pathOf(request) }, 'a request came too slowly and was cut off');
      raw.socket.destroy();
    }, bodyMs).unref();
    deadlines.set(raw, deadline);
    raw.once('close', () => {
      clearTimeout(deadline);
    });
  });
}

/** For a body of any size, by somebody who is known. */
export function liftBodyLimit({ raw }: FastifyRequest): void {
  clearTimeout(deadlines.get(raw));
}
