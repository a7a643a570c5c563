import { PassThrough } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { FastifyRequest } from 'fastify';
import type { Fleet, FleetEvent } from '../../contract.ts';
import { identify } from '../auth.ts';
import type { ApiTokens } from '../../access/tokens.ts';

/** A comment line this often keeps proxies from closing a quiet stream. */
export const HEARTBEAT_MS = 20_000;
/** Bytes that wait for a reader before it is cut off: it comes back with Last-Event-ID and misses nothing. */
const SLOW_READER_BYTES = 1 << 20;

export function eventRoutes(fleet: Fleet, tokens: ApiTokens): FastifyPluginAsyncZod {
  return async (app) => {
    const streams = new Set<PassThrough>();
    const isStillGood = ({ headers }: FastifyRequest): Promise<boolean> =>
      identify(headers.authorization, tokens).then(
        (caller) => caller !== undefined,
        () => true, // the store is in trouble, not the token
      );
    app.addHook('preClose', async () => {
      for (const stream of streams) stream.end();
    });

    app.get(
      '/events',
      {
        config: { role: 'viewer' },
        schema: {
          tags: ['events'],
          summary:
            'What happens, live, as server-sent events; Last-Event-ID or ?since continues after a break',
          querystring: z.object({ since: z.coerce.number().int().min(0).optional() }),
          produces: ['text/event-stream'],
        },
      },
      async (request, reply) => {
        const last = Number(request.headers['last-event-id'] ?? Number.NaN);
        const since = Number.isSafeInteger(last) ? last : request.query.since;
        const stream = new PassThrough();
        streams.add(stream);
        const stop = fleet.watch((event) => {
          stream.write(format(event));
          if (stream.writableLength > SLOW_READER_BYTES) stream.destroy();
        }, since);
        const heartbeat = setInterval(() => {
          stream.write(':\n\n');
          // A token that was revoked or has expired sees no more.
          void isStillGood(request).then((good) => good || stream.destroy());
        }, HEARTBEAT_MS);
        stream.once('close', () => {
          stop();
          clearInterval(heartbeat);
          streams.delete(stream);
        });
        request.raw.once('close', () => stream.destroy());
        stream.write(': SRUP events\n\n');
        void reply.headers({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
        return reply.send(stream);
      },
    );
  };
}

function format(event: FleetEvent): string {
  return `id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
}
