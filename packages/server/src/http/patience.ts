/** How long a client may take. A client without a token must not be able to hold connections for hours. */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { pathOf } from './errors.ts';

export interface Patience {
  /** Milliseconds for which a connection may stay idle, in both directions. */
  readonly idleMs: number;
  /** Milliseconds within which the body of a request must arrive. An upload may take as long as it moves. */
  readonly bodyMs: number;
}

/** A comment line this often keeps proxies from closing a quiet stream of events. Milliseconds. */
export const HEARTBEAT_MS = 20_000;

export const PATIENCE: Patience = { idleMs: 6 * HEARTBEAT_MS, bodyMs: 60_000 };

const deadlines = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/** Cuts off a body that comes too slowly, also after the answer: Node.js would read the rest for ever. */
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

/** Lets the body of this request take its time. Only for a caller who showed a valid token. */
export function liftBodyLimit({ raw }: FastifyRequest): void {
  clearTimeout(deadlines.get(raw));
}
