import { PassThrough } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ApiTokens } from '../../access/tokens.ts';
import type { FleetEvent } from '../../api/forms/events.ts';
import type { Fleet } from '../../fleet-port.ts';
import { identify } from '../auth.ts';
import { HEARTBEAT_MS } from '../patience.ts';
import type { Handlers } from '../serve.ts';

/** Bytes that wait for a reader before it is cut off. It comes back with Last-Event-ID and misses nothing. */
const SLOW_READER_BYTES = 1 << 20;

/** The streams end when the app begins to close. */
export function eventRoutes(app: FastifyInstance, fleet: Fleet, tokens: ApiTokens): Handlers<'followEvents'> {
  const streams = new Set<PassThrough>();
  const isStillGood = ({ headers }: FastifyRequest): Promise<boolean> =>
    identify(headers.authorization, tokens).then(
      (token) => token !== undefined,
      () => true, // the store is in trouble, not the token
    );
  app.addHook('preClose', async () => {
    for (const stream of streams) stream.end();
  });

  function open(request: FastifyRequest, since: number | undefined): PassThrough {
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
    return stream;
  }

  return {
    followEvents: ({ query, request, reply }) => {
      const last = Number(request.headers['last-event-id'] ?? Number.NaN);
      void reply.header('cache-control', 'no-store');
      return open(request, Number.isSafeInteger(last) ? last : query.since);
    },
  };
}

function format(event: FleetEvent): string {
  return `id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
}
